// Events are repeated after a while only, and a failed write does not count.
import test from 'ava'
import { EventRecorder } from '../../../src/kube/eventRecorder.ts'
import type { CaptureEvent } from '../../../src/model/event.ts'
import { noonMs } from '../../support/model/observations.ts'
import { capture } from '../../support/worlds/documents.ts'

const event = (reason: CaptureEvent['reason'], mark?: string): CaptureEvent => ({
  reason,
  type: 'Normal',
  message: reason,
  ...(mark && { mark }),
})

function recorder({ fails = 0 } = {}) {
  const bodies: { readonly metadata: object; readonly reason: string }[] = []
  let left = fails
  const events = new EventRecorder({
    component: 'test',
    repeatAfterMs: 60_000,
    write: async ({ body = '' }) => {
      if (left-- > 0) return false
      bodies.push(JSON.parse(body))
      return true
    },
  })
  return { events, bodies }
}

test('record() writes one Event of a reason and mark within the interval', async t => {
  const { events, bodies } = recorder()
  const web = capture('web')
  t.is(await events.record(web, event('Degraded'), { nowMs: noonMs }), 'written')
  t.is(await events.record(web, event('Degraded'), { nowMs: noonMs + 59_999 }), 'repeated')
  t.is(await events.record(web, event('Recovered'), { nowMs: noonMs }), 'written')
  t.is(await events.record(web, event('Degraded', 'a'), { nowMs: noonMs }), 'written')
  t.is(await events.record(capture('db'), event('Degraded'), { nowMs: noonMs }), 'written')
  t.is(await events.record(web, event('Degraded'), { nowMs: noonMs + 60_000 }), 'written')
  t.is(bodies.length, 5)
})

test('record() after the clock was set back writes again', async t => {
  const { events } = recorder()
  await events.record(capture('web'), event('Degraded'), { nowMs: noonMs })
  t.is(
    await events.record(capture('web'), event('Degraded'), { nowMs: noonMs - 60_000 }),
    'written',
  )
})

test('record() tries an Event again that was not written', async t => {
  const { events, bodies } = recorder({ fails: 1 })
  t.is(await events.record(capture('web'), event('Started'), { nowMs: noonMs }), 'failed')
  t.is(await events.record(capture('web'), event('Started'), { nowMs: noonMs + 1 }), 'written')
  t.is(bodies.length, 1)
})

test('record() names an Event with a version itself, so that another process makes the same one', async t => {
  const [one, two, three] = [recorder(), recorder(), recorder()]
  for (const { events } of [one, two])
    await events.record(capture('web'), event('Started'), { nowMs: noonMs, version: '7' })
  await three.events.record(capture('web'), event('Started'), { nowMs: noonMs })
  t.deepEqual(one.bodies[0]?.metadata, two.bodies[0]?.metadata)
  t.true('name' in (one.bodies[0]?.metadata ?? {}))
  t.true('generateName' in (three.bodies[0]?.metadata ?? {}))
})

test('retain() forgets the captures of other uids', async t => {
  const { events } = recorder()
  for (const name of ['web', 'db'])
    await events.record(capture(name), event('Started'), { nowMs: noonMs })
  events.retain(new Set([capture('web').metadata.uid]))
  t.is(await events.record(capture('web'), event('Started'), { nowMs: noonMs }), 'repeated')
  t.is(await events.record(capture('db'), event('Started'), { nowMs: noonMs }), 'written')
})
