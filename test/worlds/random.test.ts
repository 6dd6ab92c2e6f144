// Whatever worlds come one after another, the taps depend on the last one and the time only (rings
// apart), and every turn keeps its promises: turns.ts throws when closes come after opens, rings
// pass their budget, or a second turn does something; node.ts throws when a tap is opened twice or
// a capture's files are taken over by another.
import test from 'ava'
import fc from 'fast-check'
import type { ActualState } from '../../src/model/actualState.ts'
import { defaultSettings } from '../../src/model/settings.ts'
import type { World } from '../../src/model/world.ts'
import { runs } from '../support/runs.ts'
import { capture, endpoint, noonMs, world } from '../support/worlds/documents.ts'
import { emptyNode } from '../support/worlds/node.ts'
import { turn, turns } from '../support/worlds/turns.ts'

const minute = (n: number) => new Date(noonMs + n * 60_000).toISOString()
const app = fc.constantFrom('web', 'db')
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 })

const captures = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    uid: fc.constantFrom('1', '2'),
    namespace: fc.constantFrom('default', 'other'),
    ageMinutes: fc.nat(3),
    selector: fc.oneof(
      fc.constant('all()'),
      app.map(value => `app == "${value}"`),
      fc.constant('broken'),
    ),
    from: maybe(fc.integer({ min: -30, max: 30 })),
    minutes: maybe(fc.integer({ min: 1, max: 30 })),
    cron: maybe(fc.constantFrom('*/10 * * * *', '0 * * * *', '30 12 * * *', '* * * * *')),
    seconds: fc.constantFrom(58, 60, 420, 600, 900), // some recurring windows touch, some overlap
    expression: fc.constantFrom('', 'udp'),
    snapLength: fc.constantFrom(64, 128),
    packets: maybe(fc.constantFrom(10, 20)),
  }),
  { selector: ({ name, namespace }) => `${namespace}/${name}`, maxLength: 6 },
)

type Asked = typeof captures extends fc.Arbitrary<(infer Each)[]> ? Each : never

const endpoints = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('p', 'q', 'r', 's', 't'),
    namespace: fc.constantFrom('default', 'other'),
    uid: fc.constantFrom('1', '2'),
    app,
    interfaceName: fc.constantFrom('cali0', 'cali1'),
    address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    node: fc.constantFrom('node-0', 'node-0', 'node-1'),
  }),
  { selector: ({ name, namespace }) => `${namespace}/${name}`, maxLength: 8 },
)

const worlds = fc.record({
  captures,
  endpoints,
  rings: fc.constantFrom(1, 3, 8, 64),
  endpointsMax: fc.constantFrom(2, 1_000),
  at: fc.integer({ min: -40, max: 40 }),
  offMs: fc.constantFrom(0, 1, -1, -2_999, -3_001, -9_999), // taps are opened some seconds before a window
})
const steps = worlds.map(
  ({ captures: asked, endpoints: there, rings, endpointsMax, at, offMs }) => {
    const settings = {
      ...defaultSettings,
      captureRingBytesMax: rings * 524_288,
      captureEndpointsMax: endpointsMax,
    }
    return {
      world: world(asked.map(document), there.map(pod), { settings }),
      nowMs: noonMs + at * 60_000 + offMs,
    }
  },
)

function document({
  name,
  namespace,
  uid,
  ageMinutes,
  selector,
  from,
  minutes,
  cron,
  seconds,
  packets,
  ...spec
}: Asked) {
  const startTime = from === undefined ? {} : { startTime: minute(from) }
  const endTime = minutes === undefined ? {} : { endTime: minute((from ?? 0) + minutes) }
  const schedule = cron === undefined ? {} : { schedule: { cron, durationSeconds: seconds } }
  const limits = packets === undefined ? {} : { limits: { packets } }
  const options = { namespace, uid: `${name}-${uid}`, createdAtMs: noonMs - ageMinutes * 60_000 }
  return capture(
    name,
    { ...spec, selector, ...startTime, ...endTime, ...schedule, ...limits },
    options,
  )
}

function pod({
  name,
  app: value,
  ...options
}: {
  name: string
  app: string
  namespace: string
  uid: string
  interfaceName: string
  address: string
  node: string
}) {
  return endpoint(name, { app: value }, { ...options, uid: `${name}-${options.uid}` })
}

function withoutRings({ taps }: ActualState): unknown[] {
  return [...taps.values()]
    .map(({ spec: { ringBytes: _, ...spec } }) => spec)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

test('decide() leads to taps that depend on the last world and the time only', t => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 1, maxLength: 6 }), sequence => {
      const last = sequence.slice(-1)
      t.deepEqual(withoutRings(turns(sequence, emptyNode)), withoutRings(turns(last, emptyNode)))
    }),
    { numRuns: runs(400) },
  )
})

test('decide() does not mind the order of documents', t => {
  fc.assert(
    fc.property(steps, ({ world: now, nowMs }) => {
      const reversed: World = {
        ...now,
        captures: now.captures.toReversed(),
        endpoints: now.endpoints.toReversed(),
      }
      t.deepEqual(
        turn(reversed, emptyNode, nowMs).decision.actions,
        turn(now, emptyNode, nowMs).decision.actions,
      )
    }),
    { numRuns: runs(200) },
  )
})

test('decide() closes and forgets nothing for what is missing while the world is not complete', t => {
  fc.assert(
    fc.property(steps, ({ world: now, nowMs }) => {
      const { actual } = turn(now, emptyNode, nowMs)
      const { decision } = turn(
        { ...now, captures: [], endpoints: [], isSynced: false },
        actual,
        nowMs,
      )
      t.deepEqual(decision.actions, [])
    }),
    { numRuns: runs(100) },
  )
})
