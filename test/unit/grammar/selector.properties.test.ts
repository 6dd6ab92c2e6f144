// What must hold for every selector: it prints and reads back, and the compiled form agrees with a
// plain interpreter.
import test from 'ava'
import fc from 'fast-check'
import { compile } from '../../../grammar/compile.ts'
import { print } from '../../../grammar/print.ts'
import { parseSelector } from '../../../grammar/selector.ts'
import { setOf, type Tree } from '../../../grammar/tree.ts'
import { interpret } from '../../support/grammar/interpret.ts'
import { runs } from '../../support/runs.ts'

const label = fc.oneof(
  fc.constantFrom('a', 'b', 'in', 'not', 'has', 'contains', 'starts', 'projectcalico.org/name'),
  fc.stringMatching(/^[A-Za-z0-9_./-]{1,8}$/),
)
const value = fc
  .oneof(fc.constantFrom('', 'x', 'y', 'xy'), fc.string({ unit: 'grapheme', maxLength: 4 }))
  .map(text => text.replaceAll("'", ''))

const { tree } = fc.letrec<{ tree: Tree }>(tie => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Tree>({ kind: 'all' }, { kind: 'global' }),
    fc.record({ kind: fc.constant('has' as const), label }),
    fc.record({
      kind: fc.constantFrom(
        'eq' as const,
        'ne' as const,
        'contains' as const,
        'startsWith' as const,
        'endsWith' as const,
      ),
      label,
      value,
    }),
    fc.record({
      kind: fc.constantFrom('in' as const, 'notIn' as const),
      label,
      values: fc.array(value, { maxLength: 4 }).map(setOf),
    }),
    fc
      .record({ kind: fc.constant('not' as const), operand: tie('tree') })
      .filter(({ operand }) => operand.kind !== 'not'),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      operands: fc.array(tie('tree'), { minLength: 2, maxLength: 3 }),
    }),
  ),
}))
const labels = fc.dictionary(label, value, { maxKeys: 4 })

test('print() of any tree parses to the same tree', t => {
  fc.assert(
    fc.property(tree, each => {
      const parsed = parseSelector(print(each))
      t.deepEqual(parsed.ok ? parsed.selector.tree : parsed.error.display, each)
      t.is(parsed.ok ? parsed.selector.canonical : '', print(each))
    }),
    { numRuns: runs(1_000) },
  )
})

test('print() of any negations reads back as it is, and means the same', t => {
  fc.assert(
    fc.property(tree, fc.nat(4), labels, (inner, depth, given) => {
      const look = (name: string) => (Object.hasOwn(given, name) ? given[name] : undefined)
      const negated = Array.from({ length: depth }).reduce<Tree>(
        operand => ({ kind: 'not', operand }),
        inner,
      )
      const text = print({ kind: 'or', operands: [negated, { kind: 'has', label: 'z' }] })
      const parsed = parseSelector(text)
      t.is(parsed.ok ? parsed.selector.canonical : parsed.error.display, text)
      t.is(parsed.ok && parsed.selector.matches(look), interpret(negated, look) || 'z' in given)
    }),
    { numRuns: runs(500) },
  )
})

test('compile() agrees with a plain interpreter for any tree and labels', t => {
  fc.assert(
    fc.property(tree, labels, (each, given) => {
      const look = (name: string) => (Object.hasOwn(given, name) ? given[name] : undefined)
      t.is(compile(each)(look), interpret(each, look))
    }),
    { numRuns: runs(2_000) },
  )
})

test('parseSelector() answers any text without a throw', t => {
  const piece = fc.oneof(
    fc.constantFrom(
      '(',
      ')',
      '{',
      '}',
      ',',
      '!',
      '&&',
      '||',
      '==',
      '!=',
      'in',
      'not in',
      'has(',
      'all()',
      '"',
      "'",
      ' ',
      'a',
      '\n',
      '=',
    ),
    fc.string({ unit: 'binary', maxLength: 3 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), pieces =>
      t.is(typeof parseSelector(pieces.join('')).ok, 'boolean'),
    ),
    { numRuns: runs(5_000) },
  )
})
