// The labels that an endpoint needs for a selector to match: a necessary condition for each label,
// for an index or an early no. In: a tree. Out: restrictions by label name; a missing label is not
// restricted.
import { setOf, type Tree } from './tree.ts'

/** `mustHaveOneOfValues`: undefined allows any value, an empty list none. */
export type Restriction = {
  readonly mustBePresent: boolean
  readonly mustBeAbsent: boolean
  readonly mustHaveOneOfValues: readonly string[] | undefined
}

export type Restrictions = ReadonlyMap<string, Restriction>

const nothing: Restrictions = new Map()

export function restrictionsOf(tree: Tree): Restrictions {
  switch (tree.kind) {
    case 'eq':
      return present(tree.label, [tree.value])
    case 'in':
      return present(tree.label, tree.values.length > 0 ? tree.values : undefined)
    case 'has':
    case 'contains':
    case 'startsWith':
    case 'endsWith':
      return present(tree.label, undefined)
    case 'not':
      return tree.operand.kind === 'has'
        ? new Map([
            [
              tree.operand.label,
              { mustBePresent: false, mustBeAbsent: true, mustHaveOneOfValues: undefined },
            ],
          ])
        : nothing
    case 'and':
      return tree.operands.map(restrictionsOf).reduce(both)
    case 'or':
      return tree.operands.map(restrictionsOf).reduce(either)
    default:
      return nothing
  }
}

export function isSatisfiable({
  mustBePresent,
  mustBeAbsent,
  mustHaveOneOfValues,
}: Restriction): boolean {
  return !(mustBePresent && mustBeAbsent) && mustHaveOneOfValues?.length !== 0
}

function present(label: string, values: readonly string[] | undefined): Restrictions {
  return new Map([
    [label, { mustBePresent: true, mustBeAbsent: false, mustHaveOneOfValues: values }],
  ])
}

function both(a: Restrictions, b: Restrictions): Restrictions {
  return new Map([...a, ...b].map(([label]) => [label, meet(a.get(label), b.get(label))]))
}

function meet(a: Restriction | undefined, b: Restriction | undefined): Restriction {
  const [x, y] = [a?.mustHaveOneOfValues, b?.mustHaveOneOfValues]
  return {
    mustBePresent: (a?.mustBePresent || b?.mustBePresent) ?? false,
    mustBeAbsent: (a?.mustBeAbsent || b?.mustBeAbsent) ?? false,
    mustHaveOneOfValues: x && y ? x.filter(value => y.includes(value)) : (x ?? y),
  }
}

function either(a: Restrictions, b: Restrictions): Restrictions {
  const shared = [...a].flatMap(([label, restriction]): [string, Restriction][] => {
    const other = b.get(label)
    return other ? [[label, join(restriction, other)]] : []
  })
  return new Map(
    shared.filter(([, { mustBePresent, mustBeAbsent }]) => mustBePresent || mustBeAbsent),
  )
}

function join(a: Restriction, b: Restriction): Restriction {
  const [x, y] = [a.mustHaveOneOfValues, b.mustHaveOneOfValues]
  return {
    mustBePresent: a.mustBePresent && b.mustBePresent,
    mustBeAbsent: a.mustBeAbsent && b.mustBeAbsent,
    mustHaveOneOfValues: x && y ? setOf([...x, ...y]) : undefined,
  }
}
