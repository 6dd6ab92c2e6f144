// Visits and renames the labels of a tree: namespace and service-account selectors name inherited
// labels by a prefix.
import type { Tree } from './tree.ts'

export function prefixLabels(tree: Tree, prefix: string): Tree {
  switch (tree.kind) {
    case 'all':
    case 'global':
      return tree
    case 'not':
      return { ...tree, operand: prefixLabels(tree.operand, prefix) }
    case 'and':
    case 'or':
      return { ...tree, operands: tree.operands.map(operand => prefixLabels(operand, prefix)) }
    default:
      return { ...tree, label: prefix + tree.label }
  }
}

/** Every label name that the selector reads, in order of appearance. */
export function labelsOf(tree: Tree): string[] {
  switch (tree.kind) {
    case 'all':
    case 'global':
      return []
    case 'not':
      return labelsOf(tree.operand)
    case 'and':
    case 'or':
      return tree.operands.flatMap(labelsOf)
    default:
      return [tree.label]
  }
}
