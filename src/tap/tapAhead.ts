// A driver's tap that is open before the one that it follows is closed, so that an edit loses no
// packet. In: a spec, an interface, then the time of the last packet that the former tap took. Out:
// the driver's tap, once its first sink is known. Until then its packets wait in its ring: its
// first sink, /dev/null, is full from the start. Refuses with TapError or the error of a system call.
import { closeSync, openSync } from 'node:fs'
import type { Driver, DriverTap, LimitGroup, Sink, TapEvent } from '../driver/driver.ts'
import type { CloseReason } from '../model/codes.ts'
import { type Action, recordOptionsOf, type TapSpec } from '../model/tap.ts'
import type { TapWindow } from '../model/tapWindow.ts'
import type { InterfaceMatch } from '../netdev/interfaceResolver.ts'

const editReasons: ReadonlySet<CloseReason> = new Set<CloseReason>(['changed', 'resized'])
const aheadBytesMax = 16 * 1024 * 1024
const microsecond = 0.001 // in milliseconds: the times of a pcap file are no finer

type AheadDeps = {
  readonly driver: Driver
  readonly group: LimitGroup
  readonly now: () => number
}

export class TapAhead {
  readonly match: InterfaceMatch
  /** From when on its packets are there. */
  readonly openedAtMs: number
  readonly #tap: DriverTap
  #fd: number | undefined // of /dev/null
  #listener: ((event: TapEvent) => void) | undefined
  #events: TapEvent[] = [] // before the listener
  #afterMs: number | undefined // the last packet of the former tap

  private constructor(match: InterfaceMatch, openedAtMs: number, tap: DriverTap, fd: number) {
    this.match = match
    this.openedAtMs = openedAtMs
    this.#tap = tap
    this.#fd = fd
  }

  static async open(deps: AheadDeps, spec: TapSpec, match: InterfaceMatch): Promise<TapAhead> {
    const { ringBytes, window } = spec
    const { vantage: _, ...source } = match
    const fd = openSync('/dev/null', 'a')
    const form = { ...recordOptionsOf(spec), ringBytes, window }
    const sink = { fd, bytesLeft: 0, isEmpty: false, device: undefined }
    const early: TapEvent[] = []
    let ahead: TapAhead | undefined
    try {
      const tap = await deps.driver.open({ ...form, ...source, group: deps.group, sink }, event =>
        ahead ? ahead.#hear(event) : early.push(event),
      )
      ahead = new TapAhead(match, deps.now(), tap, fd)
      for (const event of early) ahead.#hear(event)
      return ahead
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /** No packet of the former tap may be written twice. undefined: it took none. */
  follow(lastPacketMs: number | undefined): void {
    this.#afterMs = lastPacketMs
  }

  /** Its packets are later ones. */
  get packetsSinceMs(): number {
    return Math.max(this.openedAtMs, this.#afterMs ?? 0)
  }

  windowOf(window: TapWindow): TapWindow {
    if (this.#afterMs === undefined) return window
    return { ...window, fromMs: Math.max(window.fromMs ?? 0, this.#afterMs + microsecond) }
  }

  /** The packets that wait go to the sink, from the window on. */
  begin(sink: Sink, window: TapWindow, listener: (event: TapEvent) => void): DriverTap {
    this.#listener = listener
    this.#tap.setWindow(this.windowOf(window))
    this.#tap.offer(sink)
    this.#tap.rotate()
    for (const event of this.#events.splice(0)) listener(event)
    return this.#tap
  }

  /** It is not needed after all. */
  async dismiss(): Promise<void> {
    await this.#tap.close()
    this.#release()
  }

  #hear(event: TapEvent): void {
    if (event.kind === 'moved' && event.fd === this.#fd) return this.#release()
    if (this.#listener) this.#listener(event)
    else this.#events.push(event)
  }

  #release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
  }
}

/** Taps that are closed and opened again only because their capture was edited, with the reason. */
export function editedTaps(actions: readonly Action[]): [id: string, reason: CloseReason][] {
  const opened = new Set(actions.flatMap(each => (each.kind === 'open' ? [each.spec.id] : [])))
  return actions.flatMap((action): [string, CloseReason][] =>
    action.kind === 'close' && editReasons.has(action.reason) && opened.has(action.id)
      ? [[action.id, action.reason]]
      : [],
  )
}

/** For a while both rings take memory: so many at once as fit aheadBytesMax, at least one. */
export function inPortions(specs: readonly TapSpec[]): TapSpec[][] {
  const portions: TapSpec[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const spec of specs) {
    bytes += spec.ringBytes
    if (bytes > aheadBytesMax) {
      portions.push([])
      bytes = spec.ringBytes
    }
    portions.at(-1)?.push(spec)
  }
  return portions
}
