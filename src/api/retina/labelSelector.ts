// Reads Kubernetes' LabelSelector. Pure. In: the selector as written; an empty one matches
// everything. Out: a predicate, and one line that describes it. Throws RangeError that names the
// field below the selector.

export type LabelSelector = {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

type Label = (name: string) => string | undefined

export type ReadSelector = { readonly text: string; readonly matches: (label: Label) => boolean }

type Requirement = { readonly text: string; readonly holds: (label: Label) => boolean }

export function readLabelSelector({ matchLabels, matchExpressions }: LabelSelector): ReadSelector {
  const equal = Object.entries(matchLabels ?? {}).map(
    ([key, value]): Requirement => ({
      text: `${key}=${value}`,
      holds: label => label(key) === value,
    }),
  )
  const others = (matchExpressions ?? []).map((expression, index) =>
    requirement(expression, `matchExpressions[${index}]`),
  )
  const all = [...equal, ...others]
  return {
    text: all
      .map(({ text }) => text)
      .toSorted()
      .join(','),
    matches: label => all.every(({ holds }) => holds(label)),
  }
}

type Expression = NonNullable<LabelSelector['matchExpressions']>[number]

function requirement({ key, operator, values = [] }: Expression, field: string): Requirement {
  switch (operator) {
    case 'In':
    case 'NotIn': {
      if (values.length === 0)
        throw new RangeError(`${field}.values: found none, expected at least one for ${operator}`)
      const listed = `(${values.toSorted().join(',')})`
      // As in Kubernetes, NotIn also holds where the label is missing.
      return operator === 'In'
        ? {
            text: `${key} in ${listed}`,
            holds: label => values.includes(label(key) ?? '') && label(key) !== undefined,
          }
        : {
            text: `${key} notin ${listed}`,
            holds: label => label(key) === undefined || !values.includes(label(key) ?? ''),
          }
    }
    case 'Exists':
    case 'DoesNotExist': {
      if (values.length > 0)
        throw new RangeError(
          `${field}.values: found ${JSON.stringify(values)}, expected none for ${operator}`,
        )
      return operator === 'Exists'
        ? { text: key, holds: label => label(key) !== undefined }
        : { text: `!${key}`, holds: label => label(key) === undefined }
    }
    default:
      throw new RangeError(
        `${field}.operator: ${JSON.stringify(operator)} is not a valid label selector operator`,
      )
  }
}
