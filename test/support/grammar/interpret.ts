// What a tree means, in the plainest words: the oracle of the compiled form, and its peer in
// bench/selector.ts.
import type { LabelLookup } from '../../../grammar/compile.ts'
import type { Tree } from '../../../grammar/tree.ts'

export function interpret(tree: Tree, label: LabelLookup): boolean {
  const found = 'label' in tree ? label(tree.label) : undefined
  switch (tree.kind) {
    case 'all':
    case 'global':
      return true
    case 'has':
      return found !== undefined
    case 'eq':
      return found !== undefined && found === tree.value
    case 'ne':
      return found === undefined || found !== tree.value
    case 'contains':
      return found?.includes(tree.value) === true
    case 'startsWith':
      return found?.startsWith(tree.value) === true
    case 'endsWith':
      return found?.endsWith(tree.value) === true
    case 'in':
      return found !== undefined && tree.values.includes(found)
    case 'notIn':
      return found === undefined || !tree.values.includes(found)
    case 'not':
      return !interpret(tree.operand, label)
    case 'and':
      return tree.operands.every(operand => interpret(operand, label))
    case 'or':
      return tree.operands.some(operand => interpret(operand, label))
  }
}
