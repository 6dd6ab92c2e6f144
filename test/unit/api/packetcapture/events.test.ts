// What is told of a change of status, and the Event it becomes.
import test from 'ava'
import { eventOf, eventsFor } from '../../../../src/api/packetcapture/events.ts'
import type { CaptureStateName, Condition, PacketCaptureStatus } from '../../../../src/model/status.ts'
import { at, noonMs, statusOf } from '../../../support/model/observations.ts'
import { capture } from '../../../support/worlds/documents.ts'

type Status = Condition['status']

function status(state: CaptureStateName, ready: Status, degraded: Status = 'False', message = ''): PacketCaptureStatus {
  const common = { lastTransitionTime: at(noonMs), observedGeneration: 1 }
  return statusOf(2, {
    state,
    packets: 5,
    conditions: [
      { type: 'Ready', status: ready, reason: state, message, ...common },
      { type: 'Degraded', status: degraded, reason: degraded === 'False' ? 'AsExpected' : 'DiskFloor', message: 'a: disk', ...common },
    ],
  })
}

const waiting = status('WaitingForTraffic', 'True')
const capturing = status('Capturing', 'True')
const nobody = status('WaitingForTraffic', 'False')
const done = status('Finished', 'False')
const wrong = status('Error', 'False', 'False', 'Cannot capture: spec.selector')
const full = status('Capturing', 'True', 'True')
const silent = status('Capturing', 'Unknown', 'Unknown')

const changes: readonly (readonly [
  what: string,
  before: PacketCaptureStatus | undefined,
  now: PacketCaptureStatus,
  told: readonly string[],
])[] = [
  ['a capture that starts', undefined, waiting, ['Started: Capturing 2 endpoints on 2 nodes']],
  ['a capture that nobody matches', undefined, nobody, []],
  ['a pod that comes', nobody, waiting, ['Started: Capturing 2 endpoints on 2 nodes']],
  ['the first packet', waiting, capturing, []],
  ['more packets', capturing, { ...capturing, packets: 99 }, []],
  ['the end', capturing, done, ['Finished: 5 packets captured']],
  [
    'the end in words',
    capturing,
    status('Finished', 'False', 'False', 'Finished: packets limit 5 reached'),
    ['Finished: Finished: packets limit 5 reached'],
  ],
  ['the next window', done, waiting, ['Started: Capturing 2 endpoints on 2 nodes']],
  ['a rejection', undefined, wrong, ['Failed: Cannot capture: spec.selector']],
  ['the same rejection', wrong, wrong, []],
  ['a full disk', capturing, full, ['Degraded: DiskFloor: a: disk']],
  ['room again', full, capturing, ['Recovered: All nodes capture as expected again']],
  ['a node that falls silent', capturing, silent, []],
  ['a node that speaks again', silent, capturing, []],
  ['an old status without conditions', statusOf(2), capturing, ['Started: Capturing 2 endpoints on 2 nodes']],
]
for (const [what, before, now, told] of changes) {
  test(`toldOf() tells of ${what}: ${told.length > 0 ? told.join() : 'nothing'}`, t => {
    t.deepEqual(
      eventsFor(before, now).map(({ reason, message }) => `${reason}: ${message}`),
      told,
    )
  })
}

const told = { reason: 'Started', type: 'Normal', message: 'Capturing' } as const
type Event = { readonly metadata: { readonly name: string; readonly namespace: string }; readonly message: string; readonly reason: string }
const event = (name: string, change: object = {}, version = '1', nowMs = noonMs) =>
  eventOf(capture(name), { ...told, ...change }, { version, nowMs }) as Event

test('eventOf() names what happened, to what, and when', t => {
  t.like(event('web'), {
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture', namespace: 'default', name: 'web', uid: 'uid-web' },
    reason: 'Started',
    type: 'Normal',
    message: 'Capturing',
    firstTimestamp: '2026-06-01T12:00:00Z',
    lastTimestamp: '2026-06-01T12:00:00Z',
  })
})

test('eventOf() makes one name of each change of one version of a capture, whenever it is told', t => {
  const nameOf = (...given: Parameters<typeof event>): string => event(...given).metadata.name
  t.is(nameOf('web'), nameOf('web', { message: 'in other words' }, '1', noonMs + 3_600_000))
  const others = [nameOf('web', { reason: 'Degraded' }), nameOf('db'), nameOf('web', { mark: 'a' }), nameOf('web', {}, '2')]
  t.is(new Set([nameOf('web'), ...others]).size, 5)
})

// A name as Kubernetes takes it: DNS labels, 253 characters at most.
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
for (const name of ['web', 'a'.repeat(253), `${'a'.repeat(199)}.${'b'.repeat(50)}`, `${'a'.repeat(198)}--.b`, `${'a'.repeat(198)}-b.c`]) {
  test(`eventOf() makes a valid name of one with ${name.length} characters that ends in ${name.slice(195, 205)}`, t => {
    const made = event(name).metadata.name
    t.regex(made, subdomain)
    t.true(made.length <= 253)
  })
}

for (const [what, message] of [
  ['letters', 'x'.repeat(5_000)],
  ['characters of two units', '😀'.repeat(1_000)],
  ['half characters', '\ud83d'.repeat(10)],
] as const) {
  test(`eventOf() cuts a message of ${what} to 1,024 characters, none of them in two`, t => {
    const made = event('web', { message }).message
    t.true(made.length <= 1_024)
    t.true(made.isWellFormed())
  })
}

test('eventOf() holds nothing of the capture but its name and identity', t => {
  const { apiVersion, kind, metadata } = capture('web')
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': 'token: s3cret' }
  const secret = {
    apiVersion,
    kind,
    metadata: { ...metadata, annotations, labels: { key: 's3cret' } },
    spec: { selector: "token == 's3cret'" },
  }
  t.notRegex(JSON.stringify(eventOf(secret, told, { version: '1', nowMs: noonMs })), /s3cret/)
})
