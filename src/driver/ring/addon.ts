// The binding to native/: loads the addon, pairs the answers of asynchronous calls with their
// numbers, and passes events on to the listener of their tap. One binding for each thread of
// JavaScript, since the addon has readers of its own for each.
import { createRequire } from 'node:module'
import type { Format } from '../../model/capture.ts'
import type { TapErrorCode } from '../../model/codes.ts'
import { TapError } from '../../model/errors.ts'
import type { BufferUse, InterfaceLoss, Link, Sink, TapCounters } from '../driver.ts'
import { callAddon } from './callAddon.ts'

export type NativeLimitGroup = { readonly isLimitGroup: true } // opaque: a limit that taps share

export type NativeWindow = { readonly fromMs: number; readonly untilMs: number }

export type NativeTapEvent =
  | { readonly kind: 'firstPacket'; readonly tap: number; readonly atMs: number }
  | {
      readonly kind: 'moved'
      readonly tap: number
      readonly fd: number
      readonly counters: TapCounters
    }
  | { readonly kind: 'limit'; readonly tap: number; readonly limit: 'packets' | 'bytes' }
  | {
      readonly kind: 'writeFailed'
      readonly tap: number
      readonly fd: number
      readonly code: string
    }
  | (InterfaceLoss & { readonly tap: number })
  | { readonly kind: 'up'; readonly tap: number }

export type NativeLinkEvent =
  | {
      readonly kind: 'link'
      readonly name: string
      readonly index: number
      readonly isGone: boolean
      readonly isUp: boolean
    }
  | { readonly kind: 'linksLost' } // the kernel had more changes than the socket could hold

export type NativeLink = Omit<Link, 'linkType'> & { readonly linkType: number } // 0: not supported

export type NativeAnswer =
  | { readonly kind: 'compiled'; readonly call: number; readonly instructions: number }
  | { readonly kind: 'listed'; readonly call: number; readonly links: readonly NativeLink[] }
  | { readonly kind: 'opened'; readonly call: number; readonly ringBytes: number }
  | { readonly kind: 'closed'; readonly call: number; readonly counters: TapCounters }

type NativeFailure = {
  readonly kind: 'failed'
  readonly call: number
  readonly code: string
  readonly message: string
}

type NativeEvent = NativeTapEvent | NativeLinkEvent | NativeAnswer | NativeFailure

export type OpenOptions = {
  readonly call: number
  readonly interfaceName: string
  readonly index: number // 0: any
  readonly linkType: number
  readonly netns: string // '': the network namespace of this process
  readonly netnsId: string // '': any
  readonly filter: string
  readonly snapLength: number
  readonly format: Format
  readonly headersOnly: boolean
  readonly insideIsPod: boolean
  readonly ringBytes: number
  readonly instructionsMax: number
  readonly group: NativeLimitGroup | null
  readonly sink: Sink
  readonly window: NativeWindow
}

export interface Addon {
  start(onEvent: (event: NativeEvent) => void): void
  ref(): void
  unref(): void
  compile(call: number, filter: string, snapLength: number, instructionsMax: number): void
  links(call: number, netns: string): void
  /** Returns the tap's number, which its events carry. */
  open(options: OpenOptions): number
  close(call: number, tap: number): void
  offer(tap: number, sink: Sink): void
  rotate(tap: number): void
  retry(tap: number): void
  setBytesLeft(tap: number, bytesLeft: number): void
  setWindow(tap: number, window: NativeWindow): void
  /**
   * Into `out`, of 9: as TapCounters has them, the time 0 before the first packet, then what waits
   * for the disk: bytes, and milliseconds of the oldest. False once the tap is closed.
   */
  counters(tap: number, out: Float64Array): boolean
  /** Another number when any tap counted anything, and while packets wait for a disk. */
  changes(): number
  limitGroup(): NativeLimitGroup
  setLimits(group: NativeLimitGroup, packets: number, bytes: number): void
  setBufferBytesMax(bytes: number): void
  buffer(): BufferUse
  /** From `busyPercent` of a processor on a reader gives taps away; 0: at any time, for tests. */
  setReaders(most: number, busyPercent: number): void
  /** How many threads read, and how many taps were moved between them. */
  readers(): readonly [count: number, moves: number]
  watchLinks(): void
  pipe(bytes: number): readonly [read: number, write: number]
}

const path = '../../../native/build/Release/selcap.node'

export class AddonBinding {
  readonly addon: Addon
  readonly #calls = new Map<number, PromiseWithResolvers<NativeAnswer>>()
  readonly #tapListeners = new Map<number, (event: NativeTapEvent) => void>()
  readonly #linkListeners = new Set<(event: NativeLinkEvent) => void>()
  #lastCall = 0

  constructor() {
    this.addon = load()
    this.addon.start(event => this.#handle(event))
    this.addon.unref()
  }

  /**
   * Makes an asynchronous call and keeps the process alive until its answer. Rejects with TapError.
   */
  async call<Kind extends NativeAnswer['kind']>(
    kind: Kind,
    make: (call: number) => void,
  ): Promise<Extract<NativeAnswer, { kind: Kind }>> {
    const call = ++this.#lastCall
    const pending = Promise.withResolvers<NativeAnswer>()
    this.#calls.set(call, pending)
    this.addon.ref()
    try {
      callAddon(() => make(call))
      const answer = await pending.promise
      if (!isKind(answer, kind))
        throw new Error(`Cannot use answer of call ${call}: expected ${kind}, got ${answer.kind}`)
      return answer
    } finally {
      this.#calls.delete(call)
      if (this.#calls.size === 0) this.addon.unref()
    }
  }

  onTapEvent(tap: number, listener: (event: NativeTapEvent) => void): void {
    this.#tapListeners.set(tap, listener)
  }

  removeTapListener(tap: number): void {
    this.#tapListeners.delete(tap)
  }

  onLinkEvent(listener: (event: NativeLinkEvent) => void): Disposable {
    this.#linkListeners.add(listener)
    this.addon.watchLinks()
    return { [Symbol.dispose]: () => void this.#linkListeners.delete(listener) }
  }

  #handle(event: NativeEvent): void {
    switch (event.kind) {
      case 'compiled':
      case 'listed':
      case 'opened':
      case 'closed':
        return this.#calls.get(event.call)?.resolve(event)
      case 'failed':
        return this.#calls
          .get(event.call)
          ?.reject(new TapError(event.code as TapErrorCode, event.message))
      case 'link':
      case 'linksLost':
        for (const listener of this.#linkListeners) listener(event)
        return
      case 'firstPacket':
      case 'moved':
      case 'limit':
      case 'writeFailed':
      case 'down':
      case 'up':
        return this.#tapListeners.get(event.tap)?.(event)
    }
  }
}

function isKind<Kind extends NativeAnswer['kind']>(
  answer: NativeAnswer,
  kind: Kind,
): answer is Extract<NativeAnswer, { kind: Kind }> {
  return answer.kind === kind
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
