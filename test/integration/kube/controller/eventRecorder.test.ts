// What is told of captures as Events, on a real API server.
import test from 'ava'
import type { ApiWriterDeps } from '../../../../src/controller/apiWriter.ts'
import { EventRecorder } from '../../../../src/controller/eventRecorder.ts'
import type { EventReason } from '../../../../src/model/codes.ts'
import type { CaptureEvent } from '../../../../src/model/event.ts'
import { makeLogger } from '../../../../src/runtime/log.ts'
import { useServer } from '../../../support/kube/useServer.ts'
import { capture, noonMs } from '../../../support/worlds/documents.ts'

const server = useServer()

function parts(): ApiWriterDeps {
  const term = { signal: new AbortController().signal, heldUntilMs: () => Number.POSITIVE_INFINITY }
  return { kube: server().kube, group: 'projectcalico.org', log: makeLogger('silent'), term }
}

const told = (reason: EventReason, mark?: string): CaptureEvent => ({ reason, type: 'Normal', message: reason, ...(mark && { mark }) })

async function events(name: string): Promise<string[]> {
  const { items } = JSON.parse(await server().api.kubectl('get', 'events', '-n', 'default', '-o', 'json'))
  const own = items.filter((each: { involvedObject: { name: string } }) => each.involvedObject.name === name)
  return own.map(({ reason }: { reason: string }) => reason).toSorted()
}

test('record() makes one event a minute of each kind, however often a state flaps', async t => {
  const [recorder, tally] = [new EventRecorder(), { written: 0, failed: 0 }]
  for (let second = 0; second < 120; second += 20)
    for (const reason of ['Degraded', 'Recovered'] as const)
      await recorder.record(
        parts(),
        capture('flaps'),
        { events: [told(reason)], version: `${second}`, nowMs: noonMs + second * 1_000 },
        tally,
      )
  t.deepEqual(await events('flaps'), ['Degraded', 'Degraded', 'Recovered', 'Recovered'])
  t.deepEqual(tally, { written: 4, failed: 0 })
})

test('record() tells things of one kind one by one', async t => {
  const tally = { written: 0, failed: 0 }
  const news = { events: ['a', 'b', 'c'].map(mark => told('FileDeleted', mark)), version: '1', nowMs: noonMs }
  await new EventRecorder().record(parts(), capture('files'), news, tally)
  t.is((await events('files')).length, 3)
})

test('record() tells again what was not taken, and another process does not repeat it', async t => {
  const [recorder, tally] = [new EventRecorder(), { written: 0, failed: 0 }]
  const news = { events: [told('Started')], version: '7', nowMs: noonMs }
  const away = { ...parts(), kube: () => Promise.reject(new Error('read ECONNRESET')) }
  await recorder.record(away, capture('again'), news, tally)
  await recorder.record(parts(), capture('again'), { ...news, nowMs: noonMs + 1_000 }, tally)
  await new EventRecorder().record(parts(), capture('again'), { ...news, nowMs: noonMs + 90_000 }, tally)
  t.deepEqual(await events('again'), ['Started'])
  t.is(tally.failed, 1)
})
