// The headers by which a request acts as another user. Pure. In: whom. Out: the headers of the API
// server, or the same for the gateway under names that the API server's proxy lets through.
/** Whom a request acts as, in place of who sends it. */
export type Impersonation = {
  readonly user: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

export type Headers = Readonly<Record<string, string | readonly string[]>>

export function impersonationHeaders(
  { user, uid, groups, extra }: Impersonation,
  prefix = 'impersonate',
): Headers {
  const extras = Object.entries(extra).map(
    ([key, values]) => [`${prefix}-extra-${escapedKey(key)}`, values] as const,
  )
  return {
    [`${prefix}-user`]: user,
    ...(uid !== undefined && { [`${prefix}-uid`]: uid }),
    ...(groups.length > 0 && { [`${prefix}-group`]: groups }),
    ...Object.fromEntries(extras.filter(([, values]) => values.length > 0)),
  }
}

// A header's name has only the characters of a token, and "%" stands for an escape here.
function escapedKey(key: string): string {
  return [...Buffer.from(key)]
    .map(byte => {
      const character = String.fromCharCode(byte)
      return /[\w!#$&'*+.^`|~-]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    })
    .join('')
}
