// The engine's turns over parts of our own making: what stands still while another thing ends must
// not be done twice.
import test from 'ava'
import pino from 'pino'
import { Engine, type EngineDeps } from '../../../src/engine/engine.ts'
import type { ActualCapture } from '../../../src/model/actualState.ts'
import type { ArtifactResult } from '../../../src/model/artifact.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import type { OtherCapture, World } from '../../../src/model/world.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { HandClock } from '../../support/handClock.ts'
import { until } from '../../support/until.ts'

const capture: OtherCapture = {
  apiVersion: 'retina.sh/v1alpha1',
  kind: 'Capture',
  metadata: {
    name: 'a',
    namespace: 'shop',
    uid: 'u',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
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
  isSynced: true,
}

const disk = { usedBytes: 0, freePercent: 100 }

type Staged = Partial<
  Pick<EngineDeps, 'clock' | 'compile' | 'counterMs' | 'onTurn' | 'makeArtifact'>
> & {
  readonly world: World
  readonly tapManager?: object
  readonly publish?: EngineDeps['publisher']['publish']
}

function engineOf({ world, tapManager, publish = async () => {}, ...parts }: Staged): Engine {
  const nothing = () => {}
  const quiet = {
    apply: async () => {},
    halt: nothing,
    changeCounter: () => '',
    startDue: nothing,
    watchPods: async () => {},
    rotateDue: nothing,
    onChange: nothing,
  }
  return new Engine({
    source: { snapshot: () => world, onChange: nothing, [Symbol.asyncDispose]: async () => {} },
    tapManager: { ...quiet, ...tapManager } as unknown as EngineDeps['tapManager'],
    publisher: { publish } as unknown as EngineDeps['publisher'],
    clock: systemClock,
    log: pino({ enabled: false }),
    compile: async () => 1,
    counterMs: 3_600_000,
    onExpired: nothing,
    onTurn: nothing,
    ...parts,
  })
}

/**
 * With nothing to do, by a clock that the test moves, a look each second; it runs until `stop()`.
 */
function runQuiet({ tapManager, publish }: Pick<Staged, 'tapManager' | 'publish'>) {
  const clock = new HandClock(1_800_000_000_000)
  const count = { turns: 0 }
  const actualState = () => ({ taps: new Map(), captures: new Map(), disk })
  const engine = engineOf({
    world: { ...world, captures: [] },
    tapManager: { actualState, ...tapManager },
    ...(publish && { publish }),
    onTurn: () => count.turns++,
    clock,
    counterMs: 1_000,
  })
  const end = new AbortController()
  const running = engine.run(end.signal)
  const stop = () => {
    end.abort()
    return running
  }
  return { clock, count, running, stop }
}

test('an artifact that is made while a turn publishes is not made again at its end', async t => {
  const key = 'shop.retina.sh/a'
  const state: { facts: ActualCapture } = {
    facts: { key, uid: 'u', firstOpenedAtMs: 1, fileNames: [], fileBytes: 0, endpoints: new Map() },
  }
  const [made, published, second] = [
    Promise.withResolvers<ArtifactResult>(),
    Promise.withResolvers<void>(),
    Promise.withResolvers<void>(),
  ]
  const count = { made: 0, published: 0 }
  const engine = engineOf({
    world,
    tapManager: {
      actualState: () => ({ taps: new Map(), captures: new Map([[key, state.facts]]), disk }),
      setArtifactResult: (_: string, __: string, result: ArtifactResult) => {
        state.facts = { ...state.facts, artifact: result }
      },
    },
    publish: async () => {
      if (++count.published !== 2) return
      second.resolve()
      await published.promise // a server that is slow
    },
    makeArtifact: () => {
      count.made++
      return made.promise
    },
  })
  const stop = new AbortController()
  const running = engine.run(stop.signal)
  await until('the artifact to be begun', () => count.made === 1)
  engine.requestTurn()
  await second.promise
  made.resolve({ atMs: 1, files: [{ path: '/x', bytes: 1 }] })
  await until('the artifact', () => state.facts.artifact !== undefined)
  published.resolve()
  await engine.report() // a turn of its own, behind that one
  stop.abort()
  await running
  t.is(count.made, 1)
})

test('while nothing moves a turn is made each minute; at once when the change counter moves, or the clock was set back', async t => {
  const state = { pulse: 'a' }
  const { clock, count, stop } = runQuiet({ tapManager: { changeCounter: () => state.pulse } })
  const turnsIn = async (ms: number) => {
    const before = count.turns
    await clock.pass(ms)
    return count.turns - before
  }
  t.is(await turnsIn(50_000), 1) // the first
  t.is(await turnsIn(50_000), 1)
  state.pulse = 'b'
  t.is(await turnsIn(1_000), 1)
  t.is(await turnsIn(10_000), 0)
  clock.set(-3_600_000)
  t.is(await turnsIn(100), 1)
  clock.set(3_600_000)
  t.is(await turnsIn(100), 0) // nothing was due meanwhile
  await stop()
})

test('a clock that is set back during a turn is noticed when the turn is over', async t => {
  const slow = Promise.withResolvers<void>()
  const { clock, count, stop } = runQuiet({
    publish: () => (count.turns === 0 ? slow.promise : Promise.resolve()),
  })
  await clock.pass(100)
  clock.set(-3_600_000)
  slow.resolve()
  await clock.pass(100)
  t.is(count.turns, 2)
  await stop()
})

test('what the file system says of the free space ends the engine in order, also between turns', async t => {
  const state = { isBroken: false }
  const changeCounter = () => {
    if (state.isBroken)
      throw Object.assign(new Error('i/o error'), { code: 'EIO', syscall: 'statfs' })
    return ''
  }
  const { clock, running } = runQuiet({ tapManager: { changeCounter } })
  const ended = t.throwsAsync(running, { message: 'i/o error' })
  await clock.pass(1_500)
  state.isBroken = true
  await clock.pass(1_500)
  await ended
})

test('a turn that did something is followed by another, which sees what came of it', async t => {
  const state = { deeds: 0 }
  const gone = {
    key: 'shop.a',
    uid: 'u',
    firstOpenedAtMs: 1,
    fileNames: [],
    fileBytes: 0,
    endpoints: new Map(),
  } satisfies ActualCapture
  const { clock, count, stop } = runQuiet({
    tapManager: {
      actualState: () => ({
        taps: new Map(),
        captures: new Map(state.deeds < 3 ? [[gone.key, gone]] : []),
        disk,
      }),
      apply: async (actions: readonly unknown[]) => (state.deeds += actions.length), // in vain, until the third time
    },
  })
  await clock.pass(20_000)
  t.deepEqual({ ...count, ...state }, { turns: 4, deeds: 3 })
  await stop()
})

test('a report that could not be published is published soon after', async t => {
  const state = { published: 0 }
  const { clock, stop } = runQuiet({
    publish: async () => {
      if (++state.published < 3)
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC', syscall: 'write' })
    },
  })
  await clock.pass(20_000)
  t.is(state.published, 3)
  await stop()
})

test('a filter that takes long to compile holds no other capture up, and its own comes when it is compiled', async t => {
  const clock = new HandClock(1_800_000_000_000)
  const slow = Promise.withResolvers<number>()
  const reports: { readonly keys: string[]; readonly isSynced: boolean }[] = []
  const document = (name: string, expression: string) => ({
    apiVersion: 'projectcalico.org/v3' as const,
    kind: 'PacketCapture' as const,
    metadata: { ...capture.metadata, name, uid: name },
    spec: { selector: 'all()', expression },
  })
  const engine = engineOf({
    world: { ...world, captures: [document('slow', 'port 1'), document('quick', 'port 2')] },
    tapManager: { actualState: () => ({ taps: new Map(), captures: new Map(), disk }) },
    publish: async report => {
      reports.push({ keys: [...report.elements.keys()], isSynced: report.world.isSynced })
    },
    compile: filter => (filter === 'port 1' ? slow.promise : Promise.resolve(1)),
    clock,
  })
  const end = new AbortController()
  const running = engine.run(end.signal)
  await clock.pass(300)
  await until('the first report', () => reports.length > 0)
  t.deepEqual(reports[0], { keys: ['shop/quick'], isSynced: false })
  slow.resolve(1)
  await until('the second report', () => reports.length > 1)
  t.deepEqual(reports[1], { keys: ['shop/quick', 'shop/slow'], isSynced: true })
  end.abort()
  await running
})
