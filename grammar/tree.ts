// The tree of a selector. Plain data, made by parser.ts and read by the other files of this folder.
// Values of a set are sorted by their UTF-8 bytes, each once.

export type Comparison = 'eq' | 'ne' | 'contains' | 'startsWith' | 'endsWith'

export type Tree =
  | { readonly kind: 'all' | 'global' }
  | { readonly kind: 'has'; readonly label: string }
  | { readonly kind: Comparison; readonly label: string; readonly value: string }
  | { readonly kind: 'in' | 'notIn'; readonly label: string; readonly values: readonly string[] }
  | { readonly kind: 'not'; readonly operand: Tree }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Tree[] }

/** Sorted as in the canonical form. */
export function setOf(values: readonly string[]): string[] {
  return [...new Set(values)].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
