// A tree to a function over a label look-up. Made once, called for every endpoint: it allocates nothing and looks a label up
// no more often than the tree names it.
import type { Tree } from './tree.ts'

export type LabelLookup = (name: string) => string | undefined
export type Matcher = (label: LabelLookup) => boolean

export function compile(tree: Tree): Matcher {
  switch (tree.kind) {
    case 'all':
    case 'global':
      return () => true
    case 'has':
      return label => label(tree.label) !== undefined
    case 'eq':
      return label => label(tree.label) === tree.value
    case 'ne':
      return label => label(tree.label) !== tree.value
    case 'contains':
      return withLabel(tree.label, found => found.includes(tree.value))
    case 'startsWith':
      return withLabel(tree.label, found => found.startsWith(tree.value))
    case 'endsWith':
      return withLabel(tree.label, found => found.endsWith(tree.value))
    case 'in':
    case 'notIn':
      return membership(tree.label, new Set(tree.values), tree.kind === 'in')
    case 'not':
      return negation(compile(tree.operand))
    case 'and':
    case 'or':
      return chain(tree.operands.map(compile), tree.kind === 'or')
  }
}

function withLabel(name: string, holds: (value: string) => boolean): Matcher {
  return label => {
    const found = label(name)
    return found !== undefined && holds(found)
  }
}

function membership(name: string, values: ReadonlySet<string>, isIn: boolean): Matcher {
  return label => {
    const found = label(name)
    return (found !== undefined && values.has(found)) === isIn
  }
}

function negation(matches: Matcher): Matcher {
  return label => !matches(label)
}

/** The first operand that says `decisive` decides; an iterator or a callback here would allocate. */
function chain(operands: readonly Matcher[], decisive: boolean): Matcher {
  const count = operands.length
  return label => {
    for (let index = 0; index < count; index++) if (operands[index]?.(label) === decisive) return decisive
    return !decisive
  }
}
