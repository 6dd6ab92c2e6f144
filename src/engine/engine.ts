// Turns the pure decision into deeds: one turn is world → decide → apply → report → sleep until something changes.
// In: a source of worlds, the holder of taps, a publisher, a clock. Out: open taps, files, a published report.
// It decides nothing itself; a turn that throws is a bug and ends the process.

import { type CaptureStatusElement, nodeStatuses } from '../core/status/nodeStatus.ts'
import { CompiledFilters } from '../driver/compileCheck.ts'
import type { Driver } from '../driver/driver.ts'
import type { ActualState } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import type { ArtifactJob } from '../model/decision.ts'
import { osErrorMessage } from '../model/errors.ts'
import type { Publisher } from '../model/publisher.ts'
import { type Action, type ActualTap, filterKey } from '../model/tap.ts'
import { cutByLimit } from '../model/tapWindow.ts'
import type { OpenCapture, TurnListener, TurnListeners } from '../model/turnListener.ts'
import type { World } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import type { Source } from '../source/source.ts'
import type { TapManager } from '../tap/tapManager.ts'
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
  readonly counterMs: number // counters are looked at this often and reported if they moved, state changes at once
  readonly onExpired: (captureKey: string) => void
  /** Makes what a finished capture wants made of its files; what fails is told in what it resolves to. */
  readonly makeArtifact?: (job: ArtifactJob, signal: AbortSignal) => Promise<ArtifactResult>
  /** Prints the packets of these captures, and of no others, as they come. */
  readonly onFollow?: (captures: Decision['follow']) => void
  readonly onTurn: (seconds: number) => void
}

/** What the time after a turn is measured by: when it began, and with which pulse; how long at most. */
type PlannedSleep = { readonly turnMs: number; readonly pulse: string; readonly wakeAtMs: number; readonly mostMs: number }

const settledMs = 60_000 // a turn is made at least this often although nothing moves
const unsettledMs = 5_000 // and this often after one that did something, or whose report did not get out

export class Engine implements TurnListeners {
  readonly #parts: EngineDeps
  readonly #filters: CompiledFilters
  readonly #stop = new AbortController()
  readonly #nextTurn: () => Promise<void>
  readonly #ended = Promise.withResolvers<void>()
  #wake = new AbortController() // ends the sleep after the turn before
  #elements: ReadonlyMap<string, CaptureStatusElement> = new Map()
  #outlooks: Decision['captures'] = new Map() // of the last turn
  readonly #listeners = new Set<TurnListener>()
  readonly #making = new Map<string, Promise<void>>() // artifacts, by capture uid
  #unpublished: string | undefined // why the last report is not out

  constructor(parts: EngineDeps) {
    this.#parts = parts
    this.#filters = new CompiledFilters(parts.compile)
    this.#nextTurn = singleFlight(() => this.#turn())
  }

  /** Turns until the signal; rejects when a turn throws. The taps are the holder's to close; report() once more afterwards. */
  async run(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { source, tapManager: holder } = this.#parts
    source.onChange(() => this.requestTurn())
    holder.onChange(() => this.requestTurn())
    signal.addEventListener('abort', () => this.#ended.resolve(), { once: true })
    this.requestTurn()
    await this.#ended.promise.finally(() => this.#stop.abort())
    await Promise.all(this.#making.values())
    await this.#nextTurn() // waits for a turn that is under way; a stopped engine starts no other
    for (const listener of this.#listeners) listener.turned?.() // nothing is open any more for those who follow
  }

  /** For metrics and budgets. */
  get state(): EngineState {
    const { taps, captures, disk } = this.#parts.tapManager.actualState()
    const open = [...taps.values()].filter(tap => tap.state === 'open')
    return {
      captures,
      states: new Map([...this.#elements].map(([key, element]) => [key, element.state])),
      openTaps: open.length,
      ringBytes: ringBytesOf(taps),
      diskUsedBytes: disk.usedBytes,
      diskFreePercent: disk.freePercent,
    }
  }

  get ringBytes(): number {
    return ringBytesOf(this.#parts.tapManager.actualState().taps)
  }

  specsOf(captureKey: string): OpenCapture | undefined {
    const outlook = this.#outlooks.get(captureKey)
    if (outlook?.phase.kind !== 'Open' || this.#stop.signal.aborted) return undefined
    const { taps, captures } = this.#parts.tapManager.actualState()
    const open = [...taps.values()].filter(
      ({ spec, state }) => state === 'open' && spec.captureKey === captureKey && spec.capture.uid === outlook.capture.uid,
    )
    const beganAtMs = captures.get(captureKey)?.firstOpenedAtMs
    const specs = open.map(({ spec }) => ({ ...spec, window: cutByLimit(spec.window, beganAtMs, spec.limits.durationMs) }))
    return { capture: outlook.capture, specs }
  }

  watchTurns(listener: TurnListener): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Publishes how things stand now, without changing them. */
  async report(): Promise<void> {
    const world = this.#parts.source.snapshot()
    await this.#publish(world, evaluate(world, this.#actual(), this.#parts.clock.now()))
  }

  async #turn(): Promise<void> {
    if (this.#stop.signal.aborted) return
    const { source, tapManager: holder, clock, onExpired, onTurn } = this.#parts
    const startedMs = performance.now()
    this.#wake.abort()
    holder.startDue()
    const [turnMs, pulse] = [clock.now(), holder.changeCounter()] // before anything is decided: what moves afterwards is news
    const world = source.snapshot()
    const decision = await this.#decide(world)
    for (const [key, halt] of decision.halts) holder.halt(key, halt)
    await this.#apply(decision)
    this.#parts.onFollow?.(decision.follow)
    holder.rotateDue()
    await this.#publish(world, decision)
    for (const key of decision.expire) onExpired(key)
    for (const job of decision.finish) this.#make(job)
    const isSettled = decision.actions.length === 0 && decision.halts.size === 0 && this.#unpublished === undefined
    this.#sleep({ turnMs, pulse, wakeAtMs: decision.wakeAtMs, mostMs: isSettled ? settledMs : unsettledMs }).catch(this.#ended.reject)
    onTurn((performance.now() - startedMs) / 1_000)
  }

  async #apply({ actions, captures }: Decision): Promise<void> {
    const { tapManager: holder } = this.#parts
    if (actions.some(({ kind }) => kind === 'open')) {
      const ringBytes = ringBytesAfter(holder.actualState().taps, actions)
      await Promise.all([...this.#listeners].map(each => each.opening?.(ringBytes)))
    }
    await holder.apply(actions)
    this.#outlooks = captures
    for (const listener of this.#listeners) listener.turned?.()
  }

  // Beside the turns: an archive takes its time.
  #make(job: ArtifactJob): void {
    const { tapManager: holder, makeArtifact } = this.#parts
    const { uid } = job.capture
    if (!makeArtifact || this.#making.has(uid)) return
    const facts = holder.actualState().captures.get(job.key)
    if (facts?.uid !== uid || facts.artifact !== job.facts.artifact) return // made since this turn decided: it waits while it publishes
    const made = makeArtifact(job, this.#stop.signal)
      .then(result => this.#stop.signal.aborted || holder.setArtifactResult(job.key, uid, result), this.#ended.reject)
      .finally(() => this.#making.delete(uid))
    this.#making.set(
      uid,
      made.then(() => this.requestTurn()),
    )
  }

  /** Decides a second time when filters are new: compiling is not pure, so its results are an input of the decision. */
  async #decide(world: World): Promise<Decision> {
    this.#filters.trim()
    const decision = evaluate(world, this.#actual(), this.#parts.clock.now())
    const filters = new Map([...decision.captures.values()].map(({ filter }) => [filterKey(filter), filter]))
    if (filters.values().every(filter => this.#filters.has(filter))) return decision
    await Promise.all(filters.values().map(filter => this.#filters.errorOf(filter)))
    return evaluate(world, this.#actual(), this.#parts.clock.now())
  }

  #actual(): ActualState {
    return { ...this.#parts.tapManager.actualState(), filterErrors: this.#filters.errors }
  }

  async #publish(world: World, decision: Decision): Promise<void> {
    const { publisher, clock, log } = this.#parts
    const nowMs = clock.now()
    const place = { node: world.node, directory: world.settings.captureDir, isStopped: this.#stop.signal.aborted }
    const elements = nodeStatuses(decision.captures, this.#actual(), place)
    logTurn(log, { decision, before: this.#elements, elements })
    this.#elements = elements
    await publisher.publish({ world, elements, nowMs }).then(
      () => this.#noteUnpublished(undefined),
      (error: unknown) => this.#noteUnpublished(osErrorMessage(error)),
    )
  }

  // A full disk must not end the captures: the next turn publishes again.
  #noteUnpublished(message: string | undefined): void {
    const { log } = this.#parts
    if (message !== undefined && this.#unpublished === undefined)
      log.error({ error: message }, 'status not published, tried again every turn')
    if (message === undefined && this.#unpublished !== undefined) log.info({}, 'status published again')
    this.#unpublished = message
  }

  // Until it is time, the clock was set back, or anything moves.
  async #sleep({ turnMs, pulse, wakeAtMs, mostMs }: PlannedSleep): Promise<void> {
    const { clock, tapManager: holder, counterMs } = this.#parts
    this.#wake = new AbortController()
    const signal = AbortSignal.any([this.#wake.signal, this.#stop.signal])
    for (let [sleptMs, sinceMs] = [0, turnMs]; sleptMs < mostMs && clock.now() >= sinceMs; sleptMs += counterMs) {
      sinceMs = Math.min(wakeAtMs, clock.now() + counterMs)
      await clock.sleepUntil(sinceMs, signal)
      if (signal.aborted) return
      if (clock.now() >= wakeAtMs || holder.changeCounter() !== pulse) break
    }
    this.requestTurn()
  }

  /** Asks for a turn. Worlds, taps and the clock do by themselves; the configuration is told of here. */
  requestTurn(): void {
    this.#nextTurn().catch(this.#ended.reject)
  }
}

function ringBytesOf(taps: ActualState['taps']): number {
  return taps.values().reduce((bytes, { spec, state }) => bytes + (state === 'open' ? spec.ringBytes : 0), 0)
}

function ringBytesAfter(taps: ActualState['taps'], actions: readonly Action[]): number {
  const after = new Map<string, ActualTap>(taps)
  for (const action of actions) {
    if (action.kind === 'close') after.delete(action.id)
    if (action.kind === 'open') after.set(action.spec.id, { spec: action.spec, state: 'open' })
  }
  return ringBytesOf(after)
}
