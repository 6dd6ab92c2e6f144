// The node's control loop. Each turn takes a snapshot, decides (pure), applies the actions,
// publishes the status and sleeps until something changes. In: a source of worlds, the tap manager,
// a publisher, a clock. Out: open taps, files, a published report. Decides nothing itself. A turn
// that throws is a bug and ends the process.
import { setTimeout } from 'node:timers/promises'

import { type CaptureStatusElement, nodeStatuses } from '../core/status/nodeStatus.ts'
import { CompiledFilters } from '../driver/compileCheck.ts'
import type { Driver } from '../driver/driver.ts'
import type { ActualState } from '../model/actualState.ts'
import type { FilterSpec } from '../model/capture.ts'
import { podKey } from '../model/endpoint.ts'
import { osErrorMessage } from '../model/errors.ts'
import type { NodeReport, Publisher } from '../model/publisher.ts'
import { type Action, type ActualTap, filterKey } from '../model/tap.ts'
import { cutByLimit } from '../model/tapWindow.ts'
import type { OpenCapture, TurnListener, TurnListeners } from '../model/turnListener.ts'
import type { World } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import type { Source } from '../source/source.ts'
import type { TapManager } from '../tap/tapManager.ts'
import { ArtifactJobs, type ArtifactJobsDeps } from './artifactJobs.ts'
import { type Decision, evaluate } from './evaluate.ts'
import type { EngineState } from './metrics.ts'
import { logTurn } from './turnLog.ts'

export type EngineDeps = {
  readonly source: Source
  readonly tapManager: TapManager
  readonly publisher: Publisher
  readonly clock: Clock
  readonly log: Logger
  readonly compile: Driver['compile']
  readonly counterMs: number // interval at which changed counters are reported; a change of state is reported at once
  readonly onExpired: (captureKey: string) => void
  readonly makeArtifact?: ArtifactJobsDeps['makeArtifact']
  /** Prints the packets of exactly these captures as they arrive. */
  readonly onFollow?: (captures: Decision['follow']) => void
  readonly onTurn: (seconds: number) => void
}

/**
 * The sleep after a turn. `turnMs`, `changes`: when the turn began, and the change counter then.
 */
type PlannedSleep = {
  readonly turnMs: number
  readonly changes: string
  readonly wakeAtMs: number
  readonly longestMs: number
}

const compileWaitMs = 250 // ordinary filters compile in a few milliseconds
const lookWaitMs = 250 // a pod's interfaces are listed in one
const idleIntervalMs = 60_000 // longest sleep after a turn without actions
const publishMs = 2_000 // a turn waits so long for its report, and goes on
const lastReportMs = 3_000
const artifactsMs = 5_000 // a stopping engine waits so long for what is being made
const lateText = 'Cannot publish yet: the disk or the server has not answered'
const busyIntervalMs = 5_000 // longest sleep after a turn with actions, or whose report was not published

export class Engine implements TurnListeners {
  readonly #deps: EngineDeps
  readonly #filters: CompiledFilters
  readonly #stop = new AbortController()
  readonly #nextTurn: () => Promise<void>
  readonly #ended = Promise.withResolvers<void>()
  readonly #artifacts: ArtifactJobs
  #wake = new AbortController() // ends the current sleep
  #elements: ReadonlyMap<string, CaptureStatusElement> = new Map()
  #decisions: Decision['captures'] = new Map() // of the last turn
  readonly #listeners = new Set<TurnListener>()
  #publishError: string | undefined // of the last report
  #report: NodeReport | undefined // to be published next
  #publishing: Promise<void> | undefined

  constructor(deps: EngineDeps) {
    this.#deps = deps
    this.#filters = new CompiledFilters(deps.compile)
    this.#nextTurn = singleFlight(() => this.#turn())
    this.#artifacts = new ArtifactJobs({
      tapManager: deps.tapManager,
      makeArtifact: deps.makeArtifact,
      signal: this.#stop.signal,
      onDone: () => this.requestTurn(),
      onBug: this.#ended.reject,
    })
  }

  /**
   * Runs turns until the signal; rejects when a turn throws. The caller then closes the taps and
   * calls report() once more.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { source, tapManager } = this.#deps
    source.onChange(() => this.requestTurn())
    tapManager.onChange(() => this.requestTurn())
    signal.addEventListener('abort', () => this.#ended.resolve(), { once: true })
    this.requestTurn()
    await this.#ended.promise.finally(() => this.#stop.abort())
    await Promise.race([
      this.#artifacts.finished(),
      setTimeout(artifactsMs, undefined, { ref: false }),
    ])
    await this.#nextTurn() // waits for a running turn; a stopped engine starts no other
    for (const listener of this.#listeners) listener.turned?.() // live streams see that no capture is open
  }

  /** For metrics and budgets. */
  get state(): EngineState {
    const { taps, captures, disk } = this.#deps.tapManager.actualState()
    const open = [...taps.values()].filter(tap => tap.state === 'open')
    return {
      captures,
      states: new Map([...this.#elements].map(([key, element]) => [key, element.state])),
      openTaps: open.length,
      ringBytes: ringBytesOf(taps),
      buffer: this.#deps.tapManager.buffer(),
      diskUsedBytes: disk.usedBytes,
      diskFreePercent: disk.freePercent,
    }
  }

  get ringBytes(): number {
    return ringBytesOf(this.#deps.tapManager.actualState().taps)
  }

  specsOf(captureKey: string): OpenCapture | undefined {
    const decision = this.#decisions.get(captureKey)
    if (decision?.phase.kind !== 'Open' || this.#stop.signal.aborted) return undefined
    const { taps, captures } = this.#deps.tapManager.actualState()
    const open = [...taps.values()].filter(
      ({ spec, state }) =>
        state === 'open' &&
        spec.captureKey === captureKey &&
        spec.capture.uid === decision.capture.uid,
    )
    const openedAtMs = captures.get(captureKey)?.firstOpenedAtMs
    const specs = open.map(({ spec }) => ({
      ...spec,
      window: cutByLimit(spec.window, openedAtMs, spec.limits.durationMs),
    }))
    return { capture: decision.capture, specs }
  }

  watchTurns(listener: TurnListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Publishes the current state without a change. False: not within some seconds. */
  async report(): Promise<boolean> {
    const world = this.#deps.source.snapshot()
    const decision = evaluate(world, this.#actual(), this.#deps.clock.now())
    await this.#publish(world, { ...decision, actions: [] }) // nothing is opened or closed any more
    return this.#isPublished(lastReportMs)
  }

  async #turn(): Promise<void> {
    if (this.#stop.signal.aborted) return
    const { source, tapManager, clock, onExpired, onTurn } = this.#deps
    const startedMs = performance.now()
    this.#wake.abort()
    tapManager.startDue()
    const [turnMs, changes] = [clock.now(), tapManager.changeCounter()] // taken before the decision, so that later changes wake the engine
    const { world, decision } = await this.#decide(source.snapshot())
    for (const [key, halt] of decision.halts) tapManager.halt(key, halt)
    await this.#apply(decision)
    this.#deps.onFollow?.(decision.follow)
    tapManager.rotateDue()
    await this.#publish(world, decision)
    for (const key of decision.expire) onExpired(key)
    for (const job of decision.finish) this.#artifacts.start(job)
    const isIdle =
      decision.actions.length === 0 && decision.halts.size === 0 && this.#publishError === undefined
    this.#sleep({
      turnMs,
      changes,
      wakeAtMs: decision.wakeAtMs,
      longestMs: isIdle ? idleIntervalMs : busyIntervalMs,
    }).catch(this.#ended.reject)
    onTurn((performance.now() - startedMs) / 1_000)
  }

  async #apply({ actions, captures }: Decision): Promise<void> {
    const { tapManager } = this.#deps
    if (actions.some(({ kind }) => kind === 'open')) {
      const ringBytes = ringBytesAfter(tapManager.actualState().taps, actions)
      await Promise.all([...this.#listeners].map(each => each.opening?.(ringBytes)))
    }
    await tapManager.apply(actions)
    this.#decisions = captures
    for (const listener of this.#listeners) listener.turned?.()
  }

  /**
   * Decides a second time when filters are new: compiling is not pure, so its results are an input
   * of the decision. A filter that takes long holds no other capture up: the turn goes on without
   * its capture, whose taps and files stay as they are, and a later turn has it.
   */
  async #decide(world: World): Promise<{ readonly world: World; readonly decision: Decision }> {
    this.#filters.trim()
    const decide = (known: World) => ({
      world: known,
      decision: evaluate(known, this.#actual(), this.#deps.clock.now()),
    })
    const first = await this.#withPods(() => decide(world))
    const filters = new Map(
      [...first.decision.captures.values()].map(({ filter }) => [filterKey(filter), filter]),
    )
    const unknown = [...filters.values()].filter(filter => !this.#filters.has(filter))
    if (unknown.length === 0) return first
    if (await this.#compileFor(compileWaitMs, unknown)) return decide(world)
    const pending = new Set(
      [...first.decision.captures.values()]
        .filter(({ filter }) => this.#filters.isCompiling(filter))
        .map(({ capture }) => capture.uid),
    )
    const captures = world.captures.filter(({ metadata }) => !pending.has(metadata.uid))
    return decide({ ...world, captures, isSynced: false })
  }

  /** Decides a second time if pods had to be looked at: their interfaces are an input, too. */
  async #withPods<T extends { readonly decision: Decision }>(decide: () => T): Promise<T> {
    const { tapManager, clock } = this.#deps
    const first = decide()
    const { lookAt } = first.decision
    const isKnown = lookAt.every(pod => tapManager.podInterfaces.has(podKey(pod)))
    const looked = tapManager.watchPods(lookAt)
    looked.catch(this.#ended.reject)
    if (isKnown) return first
    const waited = new AbortController()
    await Promise.race([looked, clock.sleepUntil(clock.now() + lookWaitMs, waited.signal)])
    waited.abort()
    return decide()
  }

  /** True: all are compiled. False: the time is over, and a turn is requested when they are. */
  async #compileFor(waitMs: number, filters: readonly FilterSpec[]): Promise<boolean> {
    const { clock } = this.#deps
    const compiling = Promise.all(filters.map(filter => this.#filters.errorOf(filter)))
    const waited = new AbortController()
    const isCompiled = await Promise.race([
      compiling.then(() => true),
      clock.sleepUntil(clock.now() + waitMs, waited.signal).then(() => false),
    ])
    waited.abort()
    if (!isCompiled) compiling.then(() => this.requestTurn()).catch(this.#ended.reject)
    return isCompiled
  }

  #actual(): ActualState {
    return { ...this.#deps.tapManager.actualState(), filterErrors: this.#filters.errors }
  }

  async #publish(world: World, decision: Decision): Promise<void> {
    const { publisher, clock, log } = this.#deps
    const nowMs = clock.now()
    const place = {
      node: world.node,
      directory: world.settings.captureDir,
      isStopped: this.#stop.signal.aborted,
    }
    const elements = nodeStatuses(decision.captures, this.#actual(), place)
    logTurn(log, { decision, before: this.#elements, elements })
    this.#elements = elements
    this.#report = { world, elements, nowMs }
    this.#publishing ??= this.#publishReports(publisher)
    if (!(await this.#isPublished(publishMs))) this.#recordPublishError(lateText)
  }

  /** One report at a time, and then the newest: a status directory's disk may not answer. */
  async #publishReports(publisher: Publisher): Promise<void> {
    for (let report = this.#report; report; report = this.#report) {
      this.#report = undefined
      await publisher.publish(report).then(
        () => this.#recordPublishError(undefined),
        (error: unknown) => this.#recordPublishError(osErrorMessage(error)),
      )
    }
    this.#publishing = undefined
  }

  /** False: not yet. */
  async #isPublished(waitMs: number): Promise<boolean> {
    const over = new AbortController()
    const late = setTimeout(waitMs, false, { signal: over.signal }).catch(() => false)
    const isDone = await Promise.race([this.#publishing?.then(() => true) ?? true, late])
    over.abort()
    return isDone
  }

  // A full disk must not end the captures: the next turn publishes again.
  #recordPublishError(message: string | undefined): void {
    const { log } = this.#deps
    if (message !== undefined && this.#publishError === undefined)
      log.error({ error: message }, 'status not published, tried again every turn')
    if (message === undefined && this.#publishError !== undefined)
      log.info({}, 'status published again')
    this.#publishError = message
  }

  // Ends at the wake time, when the clock was set back, and when taps or counters change.
  async #sleep({ turnMs, changes, wakeAtMs, longestMs }: PlannedSleep): Promise<void> {
    const { clock, tapManager, counterMs } = this.#deps
    this.#wake = new AbortController()
    const signal = AbortSignal.any([this.#wake.signal, this.#stop.signal])
    for (
      let [sleptMs, sinceMs] = [0, turnMs];
      sleptMs < longestMs && clock.now() >= sinceMs;
      sleptMs += counterMs
    ) {
      sinceMs = Math.min(wakeAtMs, clock.now() + counterMs)
      await clock.sleepUntil(sinceMs, signal)
      if (signal.aborted) return
      if (clock.now() >= wakeAtMs || tapManager.changeCounter() !== changes) break
    }
    this.requestTurn()
  }

  /**
   * Requests a turn. The source, the taps and the clock do so themselves; the caller does after a
   * change of the configuration.
   */
  requestTurn(): void {
    this.#nextTurn().catch(this.#ended.reject)
  }
}

function ringBytesOf(taps: ActualState['taps']): number {
  return taps
    .values()
    .reduce((bytes, { spec, state }) => bytes + (state === 'open' ? spec.ringBytes : 0), 0)
}

function ringBytesAfter(taps: ActualState['taps'], actions: readonly Action[]): number {
  const after = new Map<string, ActualTap>(taps)
  for (const action of actions) {
    if (action.kind === 'close') after.delete(action.id)
    if (action.kind === 'open') after.set(action.spec.id, { spec: action.spec, state: 'open' })
  }
  return ringBytesOf(after)
}
