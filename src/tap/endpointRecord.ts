// The record of an open tap's endpoint in its capture's folder: counters, gaps, and why no packet
// arrives. In: counters of the driver's taps that were closed, interruptions, the window. Out: the
// endpoint's actual state. It begins when the capture's window opens: before that the folder shows
// neither the endpoint nor a new file. A gap that is open then is kept.

import type { TapCounters } from '../driver/driver.ts'
import type { CaptureFolder, LiveEndpoint } from '../files/captureFolder.ts'
import type { ActiveFile } from '../files/storedTypes.ts'
import type { ActualEndpoint } from '../model/actualState.ts'
import type { LostFile } from '../model/capture.ts'
import type { CloseReason } from '../model/codes.ts'
import { endpointKey } from '../model/endpoint.ts'
import type { TapSpec } from '../model/tap.ts'
import { cutByLimit, type TapWindow } from '../model/tapWindow.ts'
import type { Clock } from '../runtime/clock.ts'
import {
  addGap,
  closeGap,
  cutGap,
  ended,
  endedWithInterface,
  insertGap,
  isInGap,
  opened,
  withCounters,
} from './endpointCounters.ts'

type EndpointIdentity = Pick<
  ActualEndpoint,
  'name' | 'uid' | 'podInterface' | 'interfaceName' | 'vantage'
>
type EndpointRecordDeps = {
  readonly folder: CaptureFolder
  readonly clock: Clock
  readonly identity: EndpointIdentity
  readonly live: () => LiveEndpoint
}
type TimedSpec = Pick<TapSpec, 'window' | 'limits'>

export class EndpointRecord {
  readonly #deps: EndpointRecordDeps
  readonly #key: string
  #state: ActualEndpoint
  #message: string | undefined
  #openedAtMs: number | undefined
  #lostAtMs: number | undefined // the interface is gone, and has not come back
  #firstMs: number | undefined // of the driver's present tap
  #isHandedOver = false
  #hasBegun = false

  constructor(deps: EndpointRecordDeps, fileName: string) {
    this.#deps = deps
    this.#key = endpointKey(deps.identity)
    this.#state = this.#stateAt(deps.clock.now())
    deps.folder.prepare(this.#key, fileName)
  }

  /** Without the counters of the driver's present tap. */
  get state(): ActualEndpoint {
    return this.#state
  }

  /** Why no packet arrives. */
  get message(): string | undefined {
    return this.#message
  }

  get isInGap(): boolean {
    return isInGap(this.#state)
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** When packets are kept: the capture's window, cut by its limit on the duration. */
  windowOf({ window, limits }: TimedSpec): TapWindow {
    const { folder, clock } = this.#deps
    const isFuture = window.fromMs !== undefined && window.fromMs > clock.now()
    return cutByLimit(
      window,
      folder.firstOpenedAtMs ?? (isFuture ? window.fromMs : undefined),
      limits.durationMs,
    )
  }

  /** `aheadMs`: since when the driver's tap was open before the former one was closed: no gap. */
  noteOpened(aheadMs?: number): void {
    this.#openedAtMs = aheadMs ?? this.#deps.clock.now()
    this.#isHandedOver = aheadMs !== undefined
  }

  isDue({ window }: TimedSpec): boolean {
    return this.#deps.clock.now() >= (window.fromMs ?? 0)
  }

  begin({ window }: TimedSpec): void {
    this.#hasBegun = true
    const { folder, clock, live } = this.#deps
    const atMs = Math.max(window.fromMs ?? 0, this.#openedAtMs ?? clock.now())
    const openGap = this.#state.gaps.find(({ toMs }) => toMs === undefined)
    this.#state = this.#stateAt(atMs, window.fromMs)
    if (openGap) this.#addGap(openGap.reason, atMs)
    folder.begin(this.#key, live, atMs)
  }

  with(counters: TapCounters): ActualEndpoint {
    return withCounters(this.#state, counters)
  }

  /** A number that changes with every counted packet. */
  changeCounter(now: TapCounters): number {
    return countedIn(this.#state) + countedIn(now)
  }

  /** Adds the counters of a driver's tap that was closed. */
  add(counters: TapCounters): void {
    this.#state = this.with(counters)
  }

  /** True: the number is greater than the one known. */
  noteInterfacePackets(interfacePackets: number): boolean {
    const isMore = interfacePackets > (this.#state.interfacePackets ?? 0)
    if (isMore) this.#state = { ...this.#state, interfacePackets }
    return isMore
  }

  /** True: the reason is another than the one known. */
  interrupt(reason: string, sinceMs: number): boolean {
    const message = `Nothing is captured: ${reason}; goes on when it is back`
    const isChanged = message !== this.#message
    this.#message = message
    if (!this.isInGap) this.#addGap(reason, Math.max(sinceMs, this.#state.startedAtMs ?? 0))
    return isChanged
  }

  /** As interrupt(): the interface is gone, or is another one. */
  lose(reason: string, sinceMs: number): boolean {
    this.#lostAtMs = sinceMs
    return this.interrupt(reason, sinceMs)
  }

  /** Packets are in no file since that time. */
  beginGap(reason: string, fromMs: number): void {
    this.#addGap(reason, fromMs)
  }

  /** What was written went with a file, and is in none since it was last seen. */
  noteLost({ reason, packets, fromMs, toMs }: LostFile): void {
    const { lost = 0, gaps } = this.#state
    // A gap that began when the next file did tells of that one.
    const isTold = gaps.some(
      gap =>
        gap.toMs === undefined &&
        gap.reason === reason &&
        (toMs === undefined || gap.fromMs <= fromMs || gap.fromMs < toMs),
    )
    this.#state = {
      ...this.#state,
      ...(packets > 0 && { lost: lost + packets }),
      gaps: isTold
        ? gaps
        : insertGap(gaps, { fromMs, toMs: toMs ?? this.#deps.clock.now(), reason }),
    }
  }

  resume(): void {
    this.#lostAtMs = undefined
    this.#state = { ...this.#state, gaps: closeGap(this.#state.gaps, this.#deps.clock.now()) }
    this.#message = undefined
    if (this.#firstMs !== undefined) this.noteFirst(this.#firstMs)
  }

  /**
   * The time of the first packet that a driver's tap took. This process may have noticed only later
   * that the tap is open: the gap ended then.
   */
  noteFirst(atMs: number): void {
    this.#firstMs = atMs
    this.#state = { ...this.#state, gaps: cutGap(this.#state.gaps, atMs) }
  }

  /** `atMs`: when the tap began to close; its files may be complete much later. */
  end(spec: TimedSpec, active: ActiveFile, reason: CloseReason, atMs: number): void {
    const endMs = Math.min(atMs, this.windowOf(spec).untilMs ?? Number.POSITIVE_INFINITY)
    const isGone = reason === 'finished' || reason === 'absent'
    const facts =
      isGone && this.#lostAtMs !== undefined
        ? endedWithInterface(this.#state, Math.min(endMs, this.#lostAtMs))
        : ended(this.#state, endMs)
    this.#deps.folder.end(this.#key, { facts, active }, reason)
  }

  /**
   * Ends the endpoint with a gap that lasts until another tap opens. `fromMs`: when the tap began to
   * close.
   */
  endInGap(reason: string, active: ActiveFile, fromMs: number): void {
    const nowMs = this.#deps.clock.now()
    if (!this.isInGap) this.#addGap(reason, fromMs)
    if (!this.#hasBegun) return this.dismiss()
    this.#deps.folder.end(
      this.#key,
      { facts: { ...this.#state, endedAtMs: nowMs }, active },
      'unmatched',
    )
  }

  /** The tap closes before its window. */
  dismiss(): void {
    this.#deps.folder.dismiss(this.#key)
  }

  /** The endpoint's state if it begins at that time. */
  #stateAt(atMs: number, windowFromMs?: number): ActualEndpoint {
    const before = this.#deps.folder.storedEndpoint(this.#key)
    const closed = this.#isHandedOver ? undefined : before?.closed
    return opened(before?.facts, this.#deps.identity, atMs, closed, windowFromMs)
  }

  #addGap(reason: string, fromMs: number): void {
    this.#firstMs = undefined
    this.#state = { ...this.#state, gaps: addGap(this.#state.gaps, { fromMs, reason }) }
  }
}

function countedIn({
  received,
  packets,
  refused,
  dropped,
}: Pick<TapCounters, 'received' | 'packets' | 'refused' | 'dropped'>): number {
  return received + packets + refused + dropped
}
