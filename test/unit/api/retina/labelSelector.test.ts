import test from 'ava'
import { type LabelSelector, readLabelSelector } from '../../../../src/api/retina/labelSelector.ts'

type Labels = Readonly<Record<string, string>>

const matches = (selector: LabelSelector, labels: Labels): boolean =>
  readLabelSelector(selector).matches(name => labels[name])
const one = (operator: string, values?: readonly string[]): LabelSelector => ({
  matchExpressions: [{ key: 'app', operator, ...(values && { values }) }],
})

const rows: readonly (readonly [LabelSelector, Labels, boolean])[] = [
  [{}, {}, true],
  [{}, { app: 'a' }, true],
  [{ matchLabels: { app: 'a' } }, { app: 'a', tier: 'x' }, true],
  [{ matchLabels: { app: 'a', tier: 'y' } }, { app: 'a', tier: 'x' }, false],
  [{ matchLabels: { app: '' } }, {}, false],
  [{ matchLabels: { app: '' } }, { app: '' }, true],
  [one('In', ['a', 'b']), { app: 'b' }, true],
  [one('In', ['a', 'b']), { app: 'c' }, false],
  [one('In', ['']), {}, false],
  [one('NotIn', ['a']), { app: 'b' }, true],
  [one('NotIn', ['a']), { app: 'a' }, false],
  [one('NotIn', ['a']), {}, true],
  [one('Exists'), { app: '' }, true],
  [one('Exists', []), {}, false],
  [one('DoesNotExist'), {}, true],
  [one('DoesNotExist'), { app: 'a' }, false],
  [{ matchLabels: { tier: 'x' }, ...one('In', ['a']) }, { app: 'a', tier: 'x' }, true],
  [{ matchLabels: { tier: 'x' }, ...one('In', ['a']) }, { app: 'a', tier: 'y' }, false],
]
for (const [selector, labels, expected] of rows) {
  test(`${JSON.stringify(selector)} ${expected ? 'matches' : 'does not match'} ${JSON.stringify(labels)}`, t => {
    t.is(matches(selector, labels), expected)
  })
}

test('readLabelSelector() says in one line what was selected, in one order', t => {
  const selector: LabelSelector = {
    matchLabels: { tier: 'x', app: 'a' },
    matchExpressions: [
      { key: 'env', operator: 'In', values: ['b', 'a'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  }
  t.is(readLabelSelector(selector).text, '!old,app=a,env in (a,b),tier=x')
})

const wrong: readonly (readonly [LabelSelector, RegExp])[] = [
  [
    one('Equals', ['a']),
    /matchExpressions\[0\]\.operator: "Equals" is not a valid label selector operator/,
  ],
  [one('In'), /matchExpressions\[0\]\.values: found none, expected at least one for In/],
  [one('NotIn', []), /values: found none/],
  [one('Exists', ['a']), /values: found \["a"\], expected none for Exists/],
]
for (const [selector, message] of wrong) {
  test(`readLabelSelector() refuses ${JSON.stringify(selector)}`, t => {
    t.throws(() => readLabelSelector(selector), { instanceOf: RangeError, message })
  })
}
