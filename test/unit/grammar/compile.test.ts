// Each operator of a tree, asked with a label that fits, one that does not, and none; and how often
// labels are looked up.
import test from 'ava'
import { compile } from '../../../grammar/compile.ts'
import type { Tree } from '../../../grammar/tree.ts'

const valued = (
  kind: 'eq' | 'ne' | 'contains' | 'startsWith' | 'endsWith',
  value = 'web',
): Tree => ({ kind, label: 'app', value })
const among = (kind: 'in' | 'notIn', ...values: readonly string[]): Tree => ({
  kind,
  label: 'app',
  values,
})
const has = (label: string): Tree => ({ kind: 'has', label })

type Row = readonly [
  operator: string,
  tree: Tree,
  yes: readonly (string | undefined)[],
  no: readonly (string | undefined)[],
]

const rows: readonly Row[] = [
  ['all()', { kind: 'all' }, ['web', undefined], []],
  ['global()', { kind: 'global' }, ['web', undefined], []],
  ['has(app)', has('app'), ['web', ''], [undefined]],
  ['app == "web"', valued('eq'), ['web'], ['Web', 'web2', '', undefined]],
  ['app != "web"', valued('ne'), ['api', '', undefined], ['web']],
  ['app contains "web"', valued('contains'), ['web', 'a-web-b'], ['we', '', undefined]],
  ['app contains ""', valued('contains', ''), ['web', ''], [undefined]],
  ['app starts with "web"', valued('startsWith'), ['web', 'web-0'], ['a-web', '', undefined]],
  ['app ends with "web"', valued('endsWith'), ['web', 'a-web'], ['web-0', '', undefined]],
  ['app in {"api", "web"}', among('in', 'api', 'web'), ['api', 'web'], ['db', '', undefined]],
  ['app in {}', among('in'), [], ['web', undefined]],
  [
    'app not in {"api", "web"}',
    among('notIn', 'api', 'web'),
    ['db', '', undefined],
    ['api', 'web'],
  ],
  ['!has(app)', { kind: 'not', operand: has('app') }, [undefined], ['web', '']],
  ['!(app != "web")', { kind: 'not', operand: valued('ne') }, ['web'], ['api', undefined]],
  [
    'app starts with "w" && app ends with "b"',
    { kind: 'and', operands: [valued('startsWith', 'w'), valued('endsWith', 'b')] },
    ['web', 'wb'],
    ['w', 'b', undefined],
  ],
  [
    'app == "web" || app == "api"',
    { kind: 'or', operands: [valued('eq'), valued('eq', 'api')] },
    ['web', 'api'],
    ['db', undefined],
  ],
  [
    '!(app == "web" || app starts with "a") && has(app)',
    {
      kind: 'and',
      operands: [
        {
          kind: 'not',
          operand: { kind: 'or', operands: [valued('eq'), valued('startsWith', 'a')] },
        },
        has('app'),
      ],
    },
    ['db', ''],
    ['web', 'api', undefined],
  ],
]
for (const [operator, tree, yes, no] of rows) {
  test(`compile() makes a matcher that holds for ${yes.length} of ${yes.length + no.length} values when the tree is ${operator}`, t => {
    const matches = compile(tree)
    const shown = (values: readonly (string | undefined)[]) =>
      values.map(value => [value, matches(name => (name === 'app' ? value : undefined))])
    t.deepEqual(
      shown(yes),
      yes.map(value => [value, true]),
    )
    t.deepEqual(
      shown(no),
      no.map(value => [value, false]),
    )
  })
}

for (const [kind, first, looked] of [
  ['and', undefined, ['a']],
  ['and', '1', ['a', 'b']],
  ['or', '1', ['a']],
  ['or', undefined, ['a', 'b']],
] as const) {
  test(`compile() makes a matcher that looks up ${looked.join(' and ')} when the first of two in "${kind}" is ${first ?? 'missing'}`, t => {
    const found: string[] = []
    compile({ kind, operands: [has('a'), has('b')] })(name => {
      found.push(name)
      return name === 'a' ? first : undefined
    })
    t.deepEqual(found, [...looked])
  })
}
