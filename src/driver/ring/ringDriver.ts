// The TPACKET_V3 driver. In: the calls of the Driver interface. Out: calls of the addon, whose
// reader thread does the work (native/README.md). Refuses where the addon is not built.
import { linkTypeNumbers, linkTypeOf } from '../../model/linkType.ts'
import { filterInstructions } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'
import type {
  BufferUse,
  Driver,
  DriverSpec,
  DriverTap,
  LimitGroup,
  Link,
  LinkChange,
  Pipe,
  Sink,
  TapCounters,
  TapEvent,
  Waiting,
} from '../driver.ts'
import {
  type Addon,
  AddonBinding,
  type NativeLimitGroup,
  type NativeTapEvent,
  type NativeWindow,
  type OpenOptions,
} from './addon.ts'
import { callAddon } from './callAddon.ts'
import { LinkWatch } from './linkWatch.ts'

const counts = new Float64Array(9) // filled by addon.counters()

const nothingWaits: Waiting = { bytes: 0, oldestMs: 0 }

export function ringDriver(): RingDriver {
  return new RingDriver(bindingForThisThread())
}

class RingLimit implements LimitGroup {
  readonly group: NativeLimitGroup
  readonly #addon: Addon

  constructor(addon: Addon) {
    this.#addon = addon
    this.group = callAddon(() => addon.limitGroup())
  }

  setLeft({
    packets = -1,
    bytes = -1,
  }: {
    readonly packets?: number
    readonly bytes?: number
  }): void {
    this.#addon.setLimits(this.group, packets, bytes)
  }
}

function equalsCounts({
  received,
  dropped,
  packets,
  bytes,
  refused,
  truncated,
}: TapCounters): boolean {
  const isSameWritten = counts[2] === packets && counts[3] === bytes && counts[5] === truncated
  return isSameWritten && counts[0] === received && counts[1] === dropped && counts[4] === refused
}

class RingTap implements DriverTap {
  readonly ringBytes: number
  readonly #binding: AddonBinding
  readonly #number: number
  #closed: Promise<TapCounters> | undefined
  readonly #onClosed: (tap: DriverTap) => void
  #counters: TapCounters

  constructor(
    binding: AddonBinding,
    number: number,
    ringBytes: number,
    onClosed: (tap: DriverTap) => void,
  ) {
    this.#binding = binding
    this.#number = number
    this.ringBytes = ringBytes
    this.#onClosed = onClosed
    this.#counters = { received: 0, dropped: 0, packets: 0, bytes: 0, refused: 0, truncated: 0 }
  }

  // Called each second for each tap, and most taps are idle: an unchanged tap allocates nothing.
  counters(): TapCounters {
    const isOpen = this.#binding.addon.counters(this.#number, counts)
    if (!isOpen || equalsCounts(this.#counters)) return this.#counters
    const lastPacketMs = counts[6] ?? 0
    this.#counters = {
      received: counts[0] ?? 0, // by index: destructuring takes longer than the native call
      dropped: counts[1] ?? 0,
      packets: counts[2] ?? 0,
      bytes: counts[3] ?? 0,
      refused: counts[4] ?? 0,
      truncated: counts[5] ?? 0,
      ...(lastPacketMs > 0 && { lastPacketMs }),
    }
    return this.#counters
  }

  waiting(): Waiting {
    const isOpen = this.#binding.addon.counters(this.#number, counts)
    if (!isOpen || counts[7] === 0) return nothingWaits
    return { bytes: counts[7] ?? 0, oldestMs: counts[8] ?? 0 }
  }

  offer(sink: Sink): void {
    callAddon(() => this.#binding.addon.offer(this.#number, sink))
  }

  rotate(): void {
    this.#binding.addon.rotate(this.#number)
  }

  setBytesLeft(bytesLeft: number): void {
    this.#binding.addon.setBytesLeft(this.#number, bytesLeft)
  }

  setWindow(window: TapWindow): void {
    this.#binding.addon.setWindow(this.#number, nativeWindow(window))
  }

  retry(): void {
    this.#binding.addon.retry(this.#number)
  }

  close(): Promise<TapCounters> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<TapCounters> {
    const { counters } = await this.#binding.call('closed', call =>
      this.#binding.addon.close(call, this.#number),
    )
    this.#binding.removeTapListener(this.#number)
    this.#onClosed(this)
    this.#counters = counters
    return counters
  }
}

export class RingDriver implements Driver {
  readonly name = 'ring'
  readonly #binding: AddonBinding
  readonly #taps = new Set<DriverTap>()
  readonly #watch: LinkWatch

  constructor(binding: AddonBinding) {
    this.#binding = binding
    this.#watch = new LinkWatch(binding, () => this.links())
  }

  /** Instead of what the cores of the machine suggest. */
  setReaders({ most, busyPercent }: { readonly most: number; readonly busyPercent: number }): void {
    this.#binding.addon.setReaders(most, busyPercent)
  }

  readers(): { readonly count: number; readonly moves: number } {
    const [count, moves] = this.#binding.addon.readers()
    return { count, moves }
  }

  setBufferBytesMax(bytes: number): void {
    this.#binding.addon.setBufferBytesMax(bytes)
  }

  changes(): number {
    return this.#binding.addon.changes()
  }

  buffer(): BufferUse {
    return callAddon(() => this.#binding.addon.buffer())
  }

  async compile(
    filter: string,
    snapLength: number,
    instructionsMax: number = filterInstructions.most,
  ): Promise<number> {
    if (filter === '') return 1
    const { addon } = this.#binding
    const answer = await this.#binding.call('compiled', call =>
      addon.compile(call, filter, snapLength, instructionsMax),
    )
    return answer.instructions
  }

  group(): LimitGroup {
    return new RingLimit(this.#binding.addon)
  }

  async open(spec: DriverSpec, onEvent: (event: TapEvent) => void): Promise<DriverTap> {
    const { number, ringBytes } = await this.#openRing(spec, event => onEvent(tapEvent(event)))
    const tap = new RingTap(this.#binding, number, ringBytes, closed => this.#taps.delete(closed))
    this.#taps.add(tap)
    return tap
  }

  // The listener is registered before the answer: the tap's first events may arrive together with
  // it.
  async #openRing(
    spec: DriverSpec,
    listener: (event: NativeTapEvent) => void,
  ): Promise<{ number: number; ringBytes: number }> {
    let number = 0 // of no tap: given while the call is made
    try {
      const { ringBytes } = await this.#binding.call('opened', call => {
        number = this.#binding.addon.open(openOptions(call, spec))
        this.#binding.onTapEvent(number, listener)
      })
      return { number, ringBytes }
    } catch (error) {
      this.#binding.removeTapListener(number)
      throw error
    }
  }

  async links(netns?: string): Promise<readonly Link[]> {
    const { addon } = this.#binding
    const answer = await this.#binding.call('listed', call => addon.links(call, netns ?? ''))
    return answer.links.map(link => ({ ...link, linkType: linkTypeOf(link.linkType) }))
  }

  watchLinks(onChange: (change: LinkChange) => void): Disposable {
    return this.#watch.subscribe(onChange)
  }

  pipe(bytes: number): Pipe {
    const [readFd, writeFd] = callAddon(() => this.#binding.addon.pipe(bytes))
    return { readFd, writeFd }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#taps].map(tap => tap.close()))
  }
}

function openOptions(call: number, spec: DriverSpec): OpenOptions {
  const { interfaceName, filter, snapLength, format, insideIsPod, ringBytes, sink } = spec
  return {
    call,
    interfaceName,
    index: spec.index ?? 0,
    linkType: linkTypeNumbers[spec.linkType ?? 'Ethernet'],
    netns: spec.netns ?? '',
    netnsId: spec.netnsId ?? '',
    filter,
    snapLength,
    format,
    headersOnly: spec.payload === 'Headers',
    insideIsPod,
    ringBytes,
    instructionsMax: spec.filterInstructionsMax ?? filterInstructions.most,
    group: spec.group instanceof RingLimit ? spec.group.group : null,
    sink,
    window: nativeWindow(spec.window ?? {}),
  }
}

function nativeWindow({ fromMs = 0, untilMs = Number.POSITIVE_INFINITY }: TapWindow): NativeWindow {
  return { fromMs, untilMs }
}

function tapEvent(event: NativeTapEvent): TapEvent {
  switch (event.kind) {
    case 'firstPacket':
      return { kind: 'firstPacket', atMs: event.atMs }
    case 'moved':
      return { kind: 'moved', fd: event.fd, counters: event.counters }
    case 'limit':
      return { kind: 'limit', limit: event.limit }
    case 'writeFailed':
      return { kind: 'writeFailed', fd: event.fd, code: event.code }
    case 'down':
      return { kind: 'down', state: event.state, sinceMs: event.sinceMs }
    case 'up':
      return { kind: 'up' }
  }
}

// The addon has readers of its own for each thread of JavaScript, so each thread has one binding.
const bindings: AddonBinding[] = []

function bindingForThisThread(): AddonBinding {
  const binding = bindings[0] ?? new AddonBinding()
  bindings[0] = binding
  return binding
}
