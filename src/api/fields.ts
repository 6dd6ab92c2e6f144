// Reads single fields of a spec. In: a value and its field. Out: the value; undefined if it is
// missing. Throws RangeError that names the field below spec, what was found and what was expected.

export type Fields = Readonly<Record<string, unknown>>

export function fields(value: unknown, field: string): Fields {
  if (!isGiven(value)) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw new RangeError(`${field}: found ${show(value)}, expected fields`)
  return value as Fields
}

export function integer(
  value: unknown,
  field: string,
  least: number,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  if (!isGiven(value)) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most)
    return value
  throw new RangeError(
    `${field}: found ${show(value)}, expected a whole number ${most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`}`,
  )
}

/** The first word is the default. */
export function oneOf<const T extends string>(
  value: unknown,
  field: string,
  words: readonly [T, ...T[]],
): T {
  if (!isGiven(value)) return words[0]
  const found = words.find(word => word === value)
  if (found === undefined)
    throw new RangeError(`${field}: found ${show(value)}, expected ${words.join(' or ')}`)
  return found
}

/** Prefixes the field to a reader's RangeError. */
export function at<T>(field: string, read: () => T, joint = ': '): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new RangeError(`${field}${joint}${error.message}`, { cause: error })
  }
}

export function isGiven(value: unknown): value is NonNullable<unknown> {
  return value !== undefined && value !== null
}

export function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
