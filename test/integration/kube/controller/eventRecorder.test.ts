// Events that the recorder writes, on a real API server; the rules without one:
// test/unit/kube/eventRecorder.test.ts.
import test from 'ava'
import { type ApiWriterDeps, writeEvent } from '../../../../src/controller/apiWriter.ts'
import { EventRecorder } from '../../../../src/kube/eventRecorder.ts'
import { makeLogger } from '../../../../src/runtime/log.ts'
import { useServer } from '../../../support/kube/useServer.ts'
import { capture, noonMs } from '../../../support/worlds/documents.ts'

const server = useServer()

function recorder(kube = server().kube): EventRecorder {
  const term = { signal: new AbortController().signal, heldUntilMs: () => Number.POSITIVE_INFINITY }
  const deps: ApiWriterDeps = {
    kube,
    group: 'projectcalico.org',
    log: makeLogger('silent', '/dev/null'),
    term,
  }
  return new EventRecorder({
    component: 'selcap-controller',
    repeatAfterMs: 60_000,
    write: request => writeEvent(deps, request),
  })
}

async function events(name: string): Promise<string[]> {
  const { items } = JSON.parse(
    await server().api.kubectl('get', 'events', '-n', 'default', '-o', 'json'),
  )
  const own = items.filter(
    (each: { involvedObject: { name: string } }) => each.involvedObject.name === name,
  )
  return own.map(({ reason }: { reason: string }) => reason).toSorted()
}

test('record() makes one Event a minute of each reason, however often a state flaps', async t => {
  const flapping = recorder()
  for (let second = 0; second < 120; second += 20)
    for (const reason of ['Degraded', 'Recovered'] as const)
      await flapping.record(
        capture('flaps'),
        { reason, type: 'Normal', message: reason },
        { version: `${second}`, nowMs: noonMs + second * 1_000 },
      )
  t.deepEqual(await events('flaps'), ['Degraded', 'Degraded', 'Recovered', 'Recovered'])
})

test('record() writes again what was not taken, and another process does not repeat it', async t => {
  const started = { reason: 'Started', type: 'Normal', message: 'Started' } as const
  t.is(
    await recorder(() => Promise.reject(new Error('read ECONNRESET'))).record(
      capture('again'),
      started,
      { version: '7', nowMs: noonMs },
    ),
    'failed',
  )
  for (const nowMs of [noonMs + 1_000, noonMs + 90_000])
    t.is(await recorder().record(capture('again'), started, { version: '7', nowMs }), 'written')
  t.deepEqual(await events('again'), ['Started'])
})
