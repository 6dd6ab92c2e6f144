// The body of an Event: with a name of its own, and with one that the server makes.
import test from 'ava'
import { eventOn, eventRequest } from '../../../src/kube/event.ts'
import { noonMs } from '../../support/model/observations.ts'
import { capture } from '../../support/worlds/documents.ts'

type Event = { readonly metadata: Readonly<Record<string, string>>; readonly message: string }
const told = { reason: 'Downloaded', type: 'Normal', message: 'dev had files.zip' } as const

function event(name: string, message: string = told.message): Event {
  const capture = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: {
      name,
      namespace: 'shop',
      uid: 'u',
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: {},
  } as const
  return eventOn(capture, { ...told, message }, { component: 'selcap-gateway', nowMs: 0 }) as Event
}

for (const [name, stem] of [
  ['web', 'web.'],
  [`${'a'.repeat(199)}.b`, `${'a'.repeat(199)}.`],
  [`${'a'.repeat(198)}--b`, `${'a'.repeat(198)}.`],
] as const) {
  test(`eventOn() leaves the name to the server for a capture whose name has ${name.length} characters and ends in ${name.slice(-4)}`, t => {
    t.deepEqual(event(name).metadata, { namespace: 'shop', generateName: stem })
  })
}

test('eventOn() cuts a long message and leaves no half of a character', t => {
  const { message } = event('web', '😀'.repeat(1_000))
  t.is(message, `${'😀'.repeat(511)}\ufffd…`)
  t.true(message.length <= 1_024)
})

test('eventRequest() posts the event to its namespace', t => {
  const { path, method, body } = eventRequest('shop', event('web'))
  t.deepEqual(
    [method, path, JSON.parse(body ?? '')],
    ['POST', '/api/v1/namespaces/shop/events', event('web')],
  )
})

const started = { reason: 'Started', type: 'Normal', message: 'Capturing' } as const
type NamedEvent = {
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly message: string
  readonly reason: string
}
const named = (name: string, change: object = {}, version = '1', nowMs = noonMs) =>
  eventOn(
    capture(name),
    { ...started, ...change },
    { component: 'selcap-controller', version, nowMs },
  ) as NamedEvent

test('eventOn() names what happened, to what, and when', t => {
  t.like(named('web'), {
    apiVersion: 'v1',
    kind: 'Event',
    involvedObject: {
      apiVersion: 'projectcalico.org/v3',
      kind: 'PacketCapture',
      namespace: 'default',
      name: 'web',
      uid: 'uid-web',
    },
    reason: 'Started',
    type: 'Normal',
    message: 'Capturing',
    firstTimestamp: '2026-06-01T12:00:00Z',
    lastTimestamp: '2026-06-01T12:00:00Z',
  })
})

test('eventOn() makes one name of each change of one version of a capture, at any time', t => {
  const nameOf = (...given: Parameters<typeof named>): string => named(...given).metadata.name
  t.is(nameOf('web'), nameOf('web', { message: 'in other words' }, '1', noonMs + 3_600_000))
  const others = [
    nameOf('web', { reason: 'Degraded' }),
    nameOf('db'),
    nameOf('web', { mark: 'a' }),
    nameOf('web', {}, '2'),
  ]
  t.is(new Set([nameOf('web'), ...others]).size, 5)
})

// A name as Kubernetes takes it: DNS labels, 253 characters at most.
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
for (const name of [
  'web',
  'a'.repeat(253),
  `${'a'.repeat(199)}.${'b'.repeat(50)}`,
  `${'a'.repeat(198)}--.b`,
  `${'a'.repeat(198)}-b.c`,
]) {
  test(`eventOn() makes a valid name of one with ${name.length} characters that ends in ${name.slice(195, 205)}`, t => {
    const made = named(name).metadata.name
    t.regex(made, subdomain)
    t.true(made.length <= 253)
  })
}

for (const [what, message] of [
  ['letters', 'x'.repeat(5_000)],
  ['characters of two units', '😀'.repeat(1_000)],
  ['half characters', '\ud83d'.repeat(10)],
] as const) {
  test(`eventOn() cuts a message of ${what} to 1,024 characters, none of them in two`, t => {
    const made = named('web', { message }).message
    t.true(made.length <= 1_024)
    t.true(made.isWellFormed())
  })
}

test('eventOn() holds nothing of the capture but its name and identity', t => {
  const { apiVersion, kind, metadata } = capture('web')
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': 'token: s3cret' }
  const secret = {
    apiVersion,
    kind,
    metadata: { ...metadata, annotations, labels: { key: 's3cret' } },
    spec: { selector: "token == 's3cret'" },
  }
  t.notRegex(
    JSON.stringify(
      eventOn(secret, started, { component: 'selcap-controller', version: '1', nowMs: noonMs }),
    ),
    /s3cret/,
  )
})
