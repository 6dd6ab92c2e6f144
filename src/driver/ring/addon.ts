// The door to native/: loads the addon and pairs its answers with the calls. Every asynchronous call carries a number that
// comes back with its answer; what a tap tells goes to the tap's listener. One door for each JavaScript environment, since
// the addon keeps one thread for each.
import { createRequire } from 'node:module'
import type { TapErrorCode } from '../../model/codes.ts'
import { TapError } from '../../model/errors.ts'
import type { Link, TapCounters } from '../driver.ts'

export type Group = { readonly isGroup: true } // opaque: a limit shared by taps

export type NativeEvent = {
  readonly kind: 'firstPacket' | 'moved' | 'limit' | 'writeFailed' | 'down' | 'link' | 'linksLost' | 'done' | 'failed'
  readonly id: number // of the tap, or of the call
  readonly number: number
  readonly flag: boolean
  readonly isUp: boolean
  readonly code: string
  readonly message: string
  readonly counters: TapCounters
  readonly links: readonly Link[]
}

export interface Addon {
  start(onEvent: (event: NativeEvent) => void): void
  hold(isHeld: boolean): void
  compile(call: number, filter: string, snapLength: number, instructionsMax: number): void
  links(call: number, netns: string): void
  open(
    call: number,
    interfaceName: string,
    netns: string,
    filter: string,
    snapLength: number,
    flags: number,
    ringBytes: number,
    group: Group | null,
    fd: number,
    bytesLeft: number,
    isEmpty: boolean,
    instructionsMax: number,
    fromMs: number,
    untilMs: number,
  ): number
  offer(tap: number, fd: number, bytesLeft: number, isEmpty: boolean): void
  order(what: number, tap: number, value: number): void
  setWindow(tap: number, fromMs: number, untilMs: number): void
  /** Into `out`, of 7: as TapCounters has them, the time 0 before the first packet. False once the tap is closed. */
  counters(tap: number, out: Float64Array): boolean
  group(): Group
  setLeft(group: Group, packets: number, bytes: number): void
  watchLinks(): void
  pipe(bytes: number): readonly [read: number, write: number]
}

const path = '../../../native/build/Release/selcap.node'

export class Door {
  readonly addon: Addon
  readonly #calls = new Map<number, PromiseWithResolvers<NativeEvent>>()
  readonly #taps = new Map<number, (event: NativeEvent) => void>()
  readonly #links = new Set<(event: NativeEvent) => void>()
  #lastCall = 0

  constructor() {
    this.addon = load()
    this.addon.start(event => this.#take(event))
    this.addon.hold(false)
  }

  /** Makes an asynchronous call; the process lives until its answer. Refuses with TapError. */
  async call(make: (call: number) => void): Promise<NativeEvent> {
    const call = ++this.#lastCall
    const answer = Promise.withResolvers<NativeEvent>()
    this.#calls.set(call, answer)
    this.addon.hold(true)
    try {
      make(call)
      return await answer.promise
    } finally {
      this.#calls.delete(call)
      if (this.#calls.size === 0) this.addon.hold(false)
    }
  }

  onTap(tap: number, listener: (event: NativeEvent) => void): void {
    this.#taps.set(tap, listener)
  }

  forgetTap(tap: number): void {
    this.#taps.delete(tap)
  }

  onLinks(listener: (event: NativeEvent) => void): Disposable {
    this.#links.add(listener)
    this.addon.watchLinks()
    return { [Symbol.dispose]: () => void this.#links.delete(listener) }
  }

  #take(event: NativeEvent): void {
    switch (event.kind) {
      case 'done':
        return this.#calls.get(event.id)?.resolve(event)
      case 'failed':
        return this.#calls.get(event.id)?.reject(new TapError(event.code as TapErrorCode, event.message))
      case 'link':
      case 'linksLost':
        for (const listener of this.#links) listener(event)
        return
      default:
        return this.#taps.get(event.id)?.(event)
    }
  }
}

function load(): Addon {
  try {
    return createRequire(import.meta.url)(path) as Addon
  } catch (cause) {
    throw new TapError(
      'NOT_SUPPORTED',
      'Cannot load the ring driver: native/ is not built for this machine, expected "npm install" to have built it; --driver libpcap does without',
      cause,
    )
  }
}
