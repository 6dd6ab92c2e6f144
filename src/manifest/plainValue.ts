// The plain value of a YAML document. In: a composed document. Out: its value, with `<<` merged, or
// a problem with its place. Refuses a key that comes twice, an alias within what it stands for, one
// that stands for nothing, and aliases whose value is much more than the text.
import { type Document, isAlias, isCollection, isMap, isPair, isScalar, type Node } from 'yaml'
import { type Refused, tokensMax } from './yamlDocuments.ts'

export type PlainValue = { readonly value: unknown } | Refused

const aliasesMax = 100

export function plainValue(document: Document.Parsed): PlainValue {
  const walk = new Walk()
  walk.sizeOf(document.contents)
  if (walk.problem) return walk.problem
  return { value: document.toJS({ maxAliasCount: -1 }) ?? null } // Walk has counted what they stand for
}

/** Recursive: yamlDocuments.ts limits the depth. */
class Walk {
  problem: Refused | undefined
  readonly #open = new Set<string>() // anchors of the nodes around
  readonly #sizes = new Map<string, number>() // by anchor, with aliases replaced
  #aliases = 0

  /** The number of nodes, with aliases replaced. */
  sizeOf(node: unknown): number {
    if (isAlias(node)) return this.#sizeOfAlias(node.source, node)
    if (isPair(node)) return this.sizeOf(node.key) + this.sizeOf(node.value)
    if (!isCollection(node)) return this.#keep(node, 1)
    if (node.anchor !== undefined) this.#open.add(node.anchor)
    if (isMap(node)) this.#checkKeys(node.items.map(({ key }) => key))
    const size = node.items.reduce<number>((sum, item) => sum + this.sizeOf(item), 1)
    if (node.anchor !== undefined) this.#open.delete(node.anchor)
    if (size > tokensMax) this.#refuse(node, 'found aliases that stand for too much')
    return this.#keep(node, size)
  }

  #sizeOfAlias(source: string, node: Node): number {
    const size = this.#sizes.get(source)
    if (++this.#aliases > aliasesMax) this.#refuse(node, `found more than ${aliasesMax} aliases`)
    else if (this.#open.has(source))
      this.#refuse(node, `alias *${source} lies within what it stands for`)
    else if (size === undefined)
      this.#refuse(node, `alias *${source} comes before its anchor &${source}, or without one`)
    return size ?? 1
  }

  #keep(node: unknown, size: number): number {
    if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined)
      this.#sizes.set(node.anchor, size)
    return size
  }

  #checkKeys(keys: readonly unknown[]): void {
    const seen = new Set<unknown>()
    for (const key of keys) {
      const value = isScalar(key) ? key.value : undefined
      if (seen.has(value) && isScalar(key)) this.#refuse(key, 'Map keys must be unique')
      seen.add(value)
    }
  }

  /** Keeps the first. */
  #refuse({ range }: Pick<Node, 'range'>, message: string): void {
    this.problem ??= { offset: range?.[0] ?? 0, message }
  }
}
