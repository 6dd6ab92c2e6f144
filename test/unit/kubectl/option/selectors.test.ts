import test from 'ava'
import fc from 'fast-check'
import { parseSelector } from '../../../../grammar/selector.ts'
import {
  combine,
  fromLabelSelector,
  fromPod,
  fromService,
  unintendedPods,
} from '../../../../src/kubectl/option/selectors.ts'

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/)
const labels = fc.dictionary(name, name, { maxKeys: 4 })
const operator = fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist')
const expression = fc.record({
  key: name,
  operator,
  values: fc.array(name, { minLength: 1, maxLength: 3 }),
})

/** As Kubernetes judges labels. */
function holds(
  found: Readonly<Record<string, string>>,
  { key, operator, values }: { key: string; operator: string; values: string[] },
): boolean {
  const value = Object.hasOwn(found, key) ? found[key] : undefined
  const isIn = value !== undefined && values.includes(value)
  return (
    { In: isIn, NotIn: !isIn, Exists: value !== undefined, DoesNotExist: value === undefined }[
      operator
    ] ?? false
  )
}

test('fromLabelSelector() means what the label selector means', t => {
  fc.assert(
    fc.property(
      labels,
      fc.array(expression, { maxLength: 3 }),
      labels,
      (matchLabels, matchExpressions, found) => {
        const parsed = parseSelector(fromLabelSelector({ matchLabels, matchExpressions }))
        const all = Object.entries(matchLabels).every(
          ([key, value]) => Object.hasOwn(found, key) && found[key] === value,
        )
        const expected = all && matchExpressions.every(each => holds(found, each))
        return (
          parsed.ok &&
          parsed.selector.matches(key => (Object.hasOwn(found, key) ? found[key] : undefined)) ===
            expected
        )
      },
    ),
  )
  t.pass()
})

test('fromLabelSelector() of nothing is everything', t => t.is(fromLabelSelector({}), 'all()'))

test('fromPod() takes the name that a StatefulSet gave, else every label', t => {
  const own = { app: 'db', 'statefulset.kubernetes.io/pod-name': 'db-0' }
  t.is(
    fromPod({ metadata: { name: 'db-0', labels: own } }),
    'statefulset.kubernetes.io/pod-name == "db-0"',
  )
  t.is(
    fromPod({ metadata: { name: 'x', labels: { app: 'web', tier: 'front' } } }),
    'app == "web" && tier == "front"',
  )
  t.throws(() => fromPod({ metadata: { name: 'bare' } }), { message: /it has no labels/ })
})

test('fromService() refuses a service without a selector', t => {
  t.is(fromService('web', { app: 'web' }), 'app == "web"')
  t.throws(() => fromService('outside', undefined), {
    message: /service "outside": it has no selector/,
  })
})

test('unintendedPods() names the other pods', t => {
  const pods = ['a', 'b', 'c'].map(each => ({
    metadata: { name: each, labels: { app: each === 'c' ? 'other' : 'web' } },
  }))
  t.deepEqual(unintendedPods('app == "web"', ['a'], pods), ['b'])
  t.deepEqual(unintendedPods('app == "web"', ['a', 'b'], pods), [])
})

test('combine() takes any of the objects, and what else must hold', t => {
  t.is(combine([], undefined), undefined)
  t.is(combine([], 'has(a)'), 'has(a)')
  t.is(combine(['a == "1"'], undefined), 'a == "1"')
  t.is(
    combine(['a == "1"', 'b == "2" && has(c)'], 'x || y'),
    '(x || y) && (a == "1") || (b == "2" && has(c))'.replace('(a', '((a').concat(')'),
  )
})
