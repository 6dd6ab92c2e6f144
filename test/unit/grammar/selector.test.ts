import test from 'ava'
import {
  normalise,
  parseSelector,
  type Selector,
  SelectorCache,
} from '../../../grammar/selector.ts'
import { casesOf } from '../../support/grammar/fixtures.ts'

type Labels = Readonly<Record<string, string>>

function parsed(text: string): Selector {
  const result = parseSelector(text)
  if (!result.ok) throw result.error
  return result.selector
}

for (const kind of ['match', 'nomatch']) {
  for (const { number, selector, labels, expected } of casesOf<{
    labels: Labels
    expected: boolean
  }>(kind)) {
    test(`parseSelector() makes a selector that answers ${expected} when asked case ${number} of ${kind}`, t => {
      t.is(
        parsed(selector).matches(name => labels[name]),
        expected,
      )
    })
  }
}

for (const { number, selector, expected, uid } of casesOf<{ expected: string; uid: string }>(
  'canonical',
)) {
  test(`parseSelector() knows the canonical form and the id when it reads case ${number}`, t => {
    t.is(parsed(selector).canonical, expected)
    t.is(parsed(selector).uniqueId, uid)
  })
}

for (const { number, selector, expected } of casesOf<{ expected: string }>('error')) {
  test(`parseSelector() refuses in upstream's words when it reads case ${number} of error`, t => {
    const result = parseSelector(selector)
    t.is(result.ok ? result.selector.canonical : result.error.message, expected)
  })
}

const places: readonly (readonly [string, string, number])[] = [
  ['a == b', 'expected string', 5],
  ['a ==', 'expected string', 4],
  ['', '', -1],
  ['a == "b" &&', 'unexpected token: TokEOF()', 11],
  [
    'a == "b" c == "d"',
    'unexpected content at end of selector [TokLabel(c) TokEq() TokStringLiteral(d) TokEOF()]',
    9,
  ],
  [
    'a == "b" (has(c))',
    'unexpected content at end of selector [TokLParen() TokHas(c) TokRParen() TokEOF()]',
    9,
  ],
  [
    'has(a)) && (b',
    'unexpected content at end of selector [TokRParen() TokAnd() TokLParen() TokLabel(b) TokEOF()]',
    6,
  ],
  [
    'has(a)) || b == "c"',
    'unexpected content at end of selector [TokRParen() TokOr() TokLabel(b) TokEq() TokStringLiteral(c) TokEOF()]',
    6,
  ],
  ['((has(a))', 'expected )', 9],
  ['(a == "b" c == "d")', 'expected )', 10],
  ['(b)', 'expected == or != not: TokRParen()', 2],
  ['a "b"', 'expected == or != not: TokStringLiteral(b)', 2],
  ['has (a)', 'expected == or != not: TokLParen()', 4],
  ['a == (has(b))', 'expected string', 5],
  ['a == b && (c)', 'expected string', 5],
  ['(c) && a == b', 'expected == or != not: TokRParen()', 2],
  ['a in {"b" "c"}', 'expected }', 10],
  ['a in {"b",,"c"}', 'expected }', 10],
  ['a not in b', 'expected operator after label "a"', 2],
  ['a in b', 'expected set literal', 5],
  ['a == "b"\n', 'expected identifier', 8],
  ['a == "b" && %', 'expected identifier', 12],
]
for (const [text, message, offset] of places) {
  test(`parseSelector() names the place when it reads ${JSON.stringify(text)}`, t => {
    const result = parseSelector(text)
    t.deepEqual(result.ok ? ['', -1] : [result.error.message, result.error.offset], [
      message,
      offset,
    ])
  })
}

test('SelectorSyntaxError.display puts a caret under the place, on its line', t => {
  const result = parseSelector('a == "x\ny" && b == c')
  t.is(result.ok ? '' : result.error.display, 'expected string\n  y" && b == c\n             ^')
  t.is(result.ok ? 0 : result.error.line, 2)
})

test('SelectorSyntaxError.display cuts a long line around the place', t => {
  const result = parseSelector(`${'has(a) && '.repeat(50)}b == c`)
  const [, line = '', caret = ''] = (result.ok ? '' : result.error.display).split('\n')
  t.is(line.charAt(caret.length - 1), 'c')
  t.true(line.length < 110)
})

test('parseSelector() takes 500 open parentheses and refuses 501', t => {
  const nested = (depth: number) => parseSelector(`${'(!'.repeat(depth)}has(a)${')'.repeat(depth)}`)
  t.true(nested(500).ok)
  const refused = nested(501)
  t.is(
    refused.ok ? '' : refused.error.message,
    'selector nested too deeply: expected at most 500 open parentheses',
  )
  t.is(refused.ok ? 0 : refused.error.offset, 1_000)
})

test('parseSelector() takes 64 KiB, in bytes, and refuses more', t => {
  const literal = (bytes: number) => `a == "${'é'.repeat((bytes - 8) / 2)}" `
  t.true(parseSelector(literal(65_536)).ok)
  const refused = parseSelector(literal(65_538))
  t.is(
    refused.ok ? '' : refused.error.message,
    'selector too long: 65538 bytes, expected at most 65536',
  )
})

for (const [what, text] of [
  ['chain of &&', Array(7_000).fill('has(a)').join(' && ')],
  [
    'chain of ||',
    Array(7_000)
      .fill('!b')
      .join('||')
      .replaceAll('!b', 'b=="c"')
      .slice(0, 63_000)
      .replace(/\|\|[^|]*$/, ''),
  ],
  ['run of !', `${'!'.repeat(65_000)}has(a)`],
  ['set', `a in {${Array(9_000).fill('"b"').join(',')}}`],
] as const) {
  test(`parseSelector() ends, without overflowing the stack, when it reads a long ${what}`, t => {
    const result = parseSelector(text)
    t.true(
      result.ok || /too long/.test(result.error.message),
      result.ok ? '' : result.error.message.slice(0, 80),
    )
    if (result.ok) t.is(typeof result.selector.matches(() => 'b'), 'boolean')
  })
}

test('parseSelector() parses each distinct text once', t => {
  t.is(parsed('once == "only"'), parsed('once == "only"'))
})

test('normalise() trims, and returns what does not parse as it was', t => {
  t.is(normalise(" \n a=='b' \n"), 'a == "b"')
  t.is(normalise(' a = b \n'), 'a = b')
})

test('SelectorCache parses a text once, and forgets those used longest ago beyond its limit', t => {
  const cache = new SelectorCache(10_000)
  const long = (name: string) => `${name} == "${'x'.repeat(3_000)}"`
  const [a, b] = [cache.parse(long('a')), cache.parse(long('b'))]
  t.is(cache.parse(long('a')), a)
  for (const name of ['c', 'd']) cache.parse(long(name))
  t.not(cache.parse(long('b')), b)
  t.true(cache.characters <= 10_000)
  for (let number = 0; number < 500; number++) cache.parse(`has(k${number})`)
  t.true(cache.characters <= 10_000)
  t.not(cache.parse(long('a')), a)
  cache.parse(`(${'x'.repeat(20_000)}`)
  t.is(cache.characters, 0)
})
