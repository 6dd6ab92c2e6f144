// Explains a match. In: a tree and labels. Out: the part of the selector that decided, and the
// label it read. The first false operand decides an `&&` that fails, the first true one an `||`
// that holds; otherwise the whole expression decides.
import { compile, type LabelLookup } from './compile.ts'
import { print } from './print.ts'
import type { Tree } from './tree.ts'

/**
 * `decided`: canonical text of the deciding part. `label`: the label it reads and the value found,
 * if it reads only one.
 */
export type Explanation = {
  readonly match: boolean
  readonly decided: string
  readonly decidedAs: boolean
  readonly label?: { readonly name: string; readonly value: string | undefined }
}

export function explain(tree: Tree, label: LabelLookup): Explanation {
  const part = decisive(tree, label)
  const decidedAs = compile(part)(label)
  const match = compile(tree)(label)
  return {
    match,
    decided: print(part),
    decidedAs,
    ...('label' in part && { label: { name: part.label, value: label(part.label) } }),
  }
}

function decisive(tree: Tree, label: LabelLookup): Tree {
  switch (tree.kind) {
    case 'not':
      return decisive(tree.operand, label)
    case 'and':
    case 'or': {
      const operand = tree.operands.find(each => compile(each)(label) === (tree.kind === 'or'))
      return operand ? decisive(operand, label) : tree
    }
    default:
      return tree
  }
}
