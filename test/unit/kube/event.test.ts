// The body of an Event whose name the server makes; one with a name of ours: test/unit/api/packetcapture/events.test.ts.
import test from 'ava'
import { eventOn, eventRequest } from '../../../src/kube/event.ts'

type Event = { readonly metadata: Readonly<Record<string, string>>; readonly message: string }
const told = { reason: 'Downloaded', type: 'Normal', message: 'dev had files.zip' } as const

function event(name: string, message: string = told.message): Event {
  const capture = {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name, namespace: 'shop', uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
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
  t.deepEqual([method, path, JSON.parse(body ?? '')], ['POST', '/api/v1/namespaces/shop/events', event('web')])
})
