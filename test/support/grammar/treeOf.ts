// The tree of a selector that a test writes down.
import { parseSelector } from '../../../grammar/selector.ts'
import type { Tree } from '../../../grammar/tree.ts'

export function treeOf(text: string): Tree {
  const parsed = parseSelector(text)
  if (!parsed.ok) throw parsed.error
  return parsed.selector.tree
}
