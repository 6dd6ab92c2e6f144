// Prints a tree. In: a tree. Out: the canonical form, the same for all equal selectors, which
// reads back as itself, and its short id. A negation of a negation is left out: upstream prints
// `!(!has(a))` as `!!has(a)`, which is another selector's text, and reads it as `has(a)`.
import { createHash } from 'node:crypto'
import type { Comparison, Tree } from './tree.ts'

const signs: Readonly<Record<Comparison, string>> = {
  eq: '==',
  ne: '!=',
  contains: 'contains',
  startsWith: 'starts with',
  endsWith: 'ends with',
}

export function print(tree: Tree): string {
  switch (tree.kind) {
    case 'all':
    case 'global':
      return `${tree.kind}()`
    case 'has':
      return `has(${tree.label})`
    case 'in':
    case 'notIn':
      return `${tree.label} ${tree.kind === 'in' ? 'in' : 'not in'} {${tree.values.map(quote).join(', ')}}`
    case 'not':
      return tree.operand.kind === 'not' ? print(tree.operand.operand) : `!${print(tree.operand)}`
    case 'and':
    case 'or':
      return `(${tree.operands.map(print).join(tree.kind === 'and' ? ' && ' : ' || ')})`
    default:
      return `${tree.label} ${signs[tree.kind]} ${quote(tree.value)}`
  }
}

/** 40 characters for a canonical form: `s:` and a hash. */
export function uniqueId(canonical: string): string {
  return `s:${createHash('sha224').update(`s:${canonical}`).digest('base64url')}`
}

/** A value never holds both kinds of quotes: it was written between one of them. */
export function quote(value: string): string {
  return value.includes('"') ? `'${value}'` : `"${value}"`
}
