// The row of an open tap in its capture's folder: what all of its driver's taps that are closed have counted, its gaps, and why
// nothing arrives now. It begins when the capture's window opens: before that the folder shows neither a row nor a new file, and
// of what happened only a gap that lasts becomes part of it.

import type { TapCounters } from '../driver/driver.ts'
import type { CaptureFolder, LiveEndpoint } from '../files/captureFolder.ts'
import type { ActiveFile } from '../files/storedTypes.ts'
import type { ActualEndpoint } from '../model/actualState.ts'
import type { CloseReason } from '../model/codes.ts'
import type { TapSpec } from '../model/tap.ts'
import { cutByLimit, type TapWindow } from '../model/tapWindow.ts'
import type { Clock } from '../runtime/clock.ts'
import { addGap, closeGap, ended, isInGap, opened, withCounters } from './endpointCounters.ts'

type EndpointIdentity = Pick<ActualEndpoint, 'name' | 'uid' | 'interfaceName' | 'vantage'>
type EndpointRecordDeps = {
  readonly folder: CaptureFolder
  readonly clock: Clock
  readonly identity: EndpointIdentity
  readonly live: () => LiveEndpoint
}
type Timed = Pick<TapSpec, 'window' | 'limits'>

export class EndpointRecord {
  readonly #parts: EndpointRecordDeps
  #facts: ActualEndpoint
  #message: string | undefined
  #openedAtMs: number | undefined
  #hasBegun = false

  constructor(parts: EndpointRecordDeps, fileName: string) {
    this.#parts = parts
    this.#facts = this.#fresh(parts.clock.now())
    parts.folder.prepare(parts.identity.name, fileName)
  }

  get facts(): ActualEndpoint {
    return this.#facts
  }

  /** Why nothing arrives now. */
  get message(): string | undefined {
    return this.#message
  }

  get isInGap(): boolean {
    return isInGap(this.#facts)
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  /** What the packets' times must be within: the capture's window, and what its limit in time leaves of it. */
  windowOf({ window, limits }: Timed): TapWindow {
    const { folder, clock } = this.#parts
    const isToCome = window.fromMs !== undefined && window.fromMs > clock.now()
    return cutByLimit(window, folder.firstOpenedAtMs ?? (isToCome ? window.fromMs : undefined), limits.durationMs)
  }

  noteOpened(): void {
    this.#openedAtMs = this.#parts.clock.now()
  }

  isDue({ window }: Timed): boolean {
    return this.#parts.clock.now() >= (window.fromMs ?? 0)
  }

  begin({ window }: Timed): void {
    this.#hasBegun = true
    const { folder, clock, identity, live } = this.#parts
    const atMs = Math.max(window.fromMs ?? 0, this.#openedAtMs ?? clock.now())
    const lasting = this.#facts.gaps.find(({ toMs }) => toMs === undefined)
    this.#facts = this.#fresh(atMs)
    if (lasting) this.#addGap(lasting.reason, atMs)
    folder.begin(identity.name, live, atMs)
  }

  with(counters: TapCounters): ActualEndpoint {
    return withCounters(this.#facts, counters)
  }

  counted(now: TapCounters): number {
    return countedIn(this.#facts) + countedIn(now)
  }

  /** A driver's tap is closed: what it counted. */
  add(counters: TapCounters): void {
    this.#facts = this.with(counters)
  }

  /** True: more than was known. */
  noteCarried(interfacePackets: number): boolean {
    const isMore = interfacePackets > (this.#facts.interfacePackets ?? 0)
    if (isMore) this.#facts = { ...this.#facts, interfacePackets }
    return isMore
  }

  /** True: for another reason than was known. */
  interrupt(reason: string): boolean {
    const message = `Nothing is captured: ${reason}; goes on when it is back`
    const isNews = message !== this.#message
    this.#message = message
    if (!this.isInGap) this.#addGap(reason, this.#parts.clock.now())
    return isNews
  }

  resume(): void {
    this.#facts = { ...this.#facts, gaps: closeGap(this.#facts.gaps, this.#parts.clock.now()) }
    this.#message = undefined
  }

  end(spec: Timed, active: ActiveFile, reason: CloseReason): void {
    const endMs = Math.min(this.#parts.clock.now(), this.windowOf(spec).untilMs ?? Number.POSITIVE_INFINITY)
    this.#parts.folder.end(this.#facts.name, { facts: ended(this.#facts, endMs), active }, reason)
  }

  /** It ends although it should not: until another tap opens, a gap. */
  endInGap(reason: string, active: ActiveFile): void {
    const nowMs = this.#parts.clock.now()
    this.#addGap(reason, nowMs)
    if (!this.#hasBegun) return this.dismiss()
    this.#parts.folder.end(this.#facts.name, { facts: { ...this.#facts, endedAtMs: nowMs }, active }, 'unmatched')
  }

  /** It has not begun and will not. */
  dismiss(): void {
    this.#parts.folder.dismiss(this.#facts.name)
  }

  #fresh(atMs: number): ActualEndpoint {
    const before = this.#parts.folder.storedEndpoint(this.#parts.identity.name)
    return opened(before?.facts, this.#parts.identity, atMs, before?.closed)
  }

  #addGap(reason: string, fromMs: number): void {
    this.#facts = { ...this.#facts, gaps: addGap(this.#facts.gaps, { fromMs, reason }) }
  }
}

function countedIn({ received, packets, refused, dropped }: Pick<TapCounters, 'received' | 'packets' | 'refused' | 'dropped'>): number {
  return received + packets + refused + dropped
}
