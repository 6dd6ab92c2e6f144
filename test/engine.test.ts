// The engine's turns over parts of our own making: what stands still while another thing ends must not be done twice.
import { setTimeout as after } from 'node:timers/promises'
import test from 'ava'
import pino from 'pino'
import { systemClock } from '../src/clock.ts'
import { Engine, type EngineParts } from '../src/engine.ts'
import type { Made } from '../src/model/artifact.ts'
import type { CaptureFacts } from '../src/model/facts.ts'
import { defaultSettings } from '../src/model/settings.ts'
import type { ForeignCapture, World } from '../src/model/world.ts'

const capture: ForeignCapture = {
  apiVersion: 'retina.sh/v1alpha1',
  kind: 'Capture',
  metadata: { name: 'a', namespace: 'shop', uid: 'u', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: {
    captureConfiguration: { captureTarget: { podSelector: {} }, captureOption: { duration: '1s' } },
    outputConfiguration: { hostPath: 'a' },
  },
}

const world: World = {
  node: 'node-1',
  settings: defaultSettings,
  captures: [capture],
  endpoints: [],
  pods: [],
  nodeLabels: {},
  hostInterfaces: [],
  namespaceLabels: new Map(),
  serviceAccountLabels: new Map(),
  hostVeth: 'TwoSided',
  complete: true,
}

test('an artifact that is made while a turn publishes is not made again at its end', async t => {
  const key = 'shop.retina.sh/a'
  const state: { facts: CaptureFacts } = { facts: { key, uid: 'u', firstOpenedAtMs: 1, fileNames: [], fileBytes: 0, endpoints: new Map() } }
  const [made, published, second] = [Promise.withResolvers<Made>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const count = { made: 0, published: 0 }
  const holder = {
    facts: () => ({ taps: new Map(), captures: new Map([[key, state.facts]]), disk: { usedBytes: 0, freePercent: 100 } }),
    apply: async () => {},
    halt: () => {},
    counted: () => 0,
    beginWhatIsDue: () => {},
    rotateWhatIsDue: () => {},
    onChange: () => {},
    made: (_: string, __: string, result: Made) => {
      state.facts = { ...state.facts, made: result }
    },
  }
  const engine = new Engine({
    source: { snapshot: () => world, onChange: () => {}, [Symbol.asyncDispose]: async () => {} },
    holder: holder as unknown as EngineParts['holder'],
    publisher: {
      publish: async () => {
        if (++count.published !== 2) return
        second.resolve()
        await published.promise // a server that is slow
      },
    } as unknown as EngineParts['publisher'],
    clock: systemClock,
    log: pino({ enabled: false }),
    compile: async () => 1,
    counterMs: 3_600_000,
    onExpired: () => {},
    onTurn: () => {},
    makeArtifact: () => {
      count.made++
      return made.promise
    },
  })
  const stop = new AbortController()
  const running = engine.run(stop.signal)
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await Promise.race([running, after(5)]) // a turn that throws ends both
  }
  await until(() => count.made === 1)
  engine.lookAgain()
  await second.promise
  made.resolve({ atMs: 1, files: [{ path: '/x', bytes: 1 }] })
  await until(() => state.facts.made !== undefined)
  published.resolve()
  await engine.report() // a turn of its own, behind that one
  stop.abort()
  await running
  t.is(count.made, 1)
})
