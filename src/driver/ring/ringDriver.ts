// The TPACKET_V3 driver: what driver.ts says, done by one native thread (native/README.md).
import { filterInstructions } from '../../model/tap.ts'
import type { TapWindow } from '../../model/tapWindow.ts'
import type { Driver, DriverSpec, DriverTap, LimitGroup, Link, LinkChange, Pipe, Sink, TapCounters, TapEvent } from '../driver.ts'
import { type Addon, Door, type Group, type NativeEvent } from './addon.ts'
import { LinkWatch } from './linkWatch.ts'

const read = new Float64Array(7)
const orders = { rotate: 0, setBytesLeft: 1, retry: 2, close: 3 } as const

/** Refuses where the addon is not built. */
export function ringDriver(): Driver {
  return new RingDriver(doorOfThisEnvironment())
}

class RingLimit implements LimitGroup {
  readonly group: Group
  readonly #addon: Addon

  constructor(addon: Addon) {
    this.#addon = addon
    this.group = addon.group()
  }

  setLeft({ packets = -1, bytes = -1 }: { readonly packets?: number; readonly bytes?: number }): void {
    this.#addon.setLeft(this.group, packets, bytes)
  }
}

function isAsRead({ received, dropped, packets, bytes, refused, truncated }: TapCounters): boolean {
  const isWrittenAsRead = read[2] === packets && read[3] === bytes && read[5] === truncated
  return isWrittenAsRead && read[0] === received && read[1] === dropped && read[4] === refused
}

class RingTap implements DriverTap {
  readonly ringBytes: number
  readonly #door: Door
  readonly #number: number
  #closed: Promise<TapCounters> | undefined
  #last: TapCounters

  constructor(door: Door, number: number, ringBytes: number) {
    this.#door = door
    this.#number = number
    this.ringBytes = ringBytes
    this.#last = { received: 0, dropped: 0, packets: 0, bytes: 0, refused: 0, truncated: 0 }
  }

  counters(): TapCounters {
    const isOpen = this.#door.addon.counters(this.#number, read)
    if (!isOpen || isAsRead(this.#last)) return this.#last // asked each second, of taps that mostly wait: nothing is made anew
    const lastPacketMs = read[6] ?? 0
    this.#last = {
      received: read[0] ?? 0, // not taken apart as a list: that takes longer than asking the addon
      dropped: read[1] ?? 0,
      packets: read[2] ?? 0,
      bytes: read[3] ?? 0,
      refused: read[4] ?? 0,
      truncated: read[5] ?? 0,
      ...(lastPacketMs > 0 && { lastPacketMs }),
    }
    return this.#last
  }

  offer({ fd, bytesLeft, isEmpty }: Sink): void {
    this.#door.addon.offer(this.#number, fd, bytesLeft, isEmpty)
  }

  rotate(): void {
    this.#door.addon.order(orders.rotate, this.#number, 0)
  }

  setBytesLeft(bytesLeft: number): void {
    this.#door.addon.order(orders.setBytesLeft, this.#number, bytesLeft)
  }

  setWindow({ fromMs, untilMs }: TapWindow): void {
    this.#door.addon.setWindow(this.#number, fromMs ?? 0, untilMs ?? Number.POSITIVE_INFINITY)
  }

  retry(): void {
    this.#door.addon.order(orders.retry, this.#number, 0)
  }

  close(): Promise<TapCounters> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<TapCounters> {
    const { counters } = await this.#door.call(call => this.#door.addon.order(orders.close, this.#number, call))
    this.#door.forgetTap(this.#number)
    this.#last = counters
    return counters
  }
}

class RingDriver implements Driver {
  readonly name = 'ring'
  readonly #door: Door
  readonly #taps = new Set<DriverTap>()
  readonly #watch: LinkWatch

  constructor(door: Door) {
    this.#door = door
    this.#watch = new LinkWatch(door, () => this.links())
  }

  async compile(filter: string, snapLength: number, instructionsMax: number = filterInstructions.most): Promise<number> {
    if (filter === '') return 1
    return (await this.#door.call(call => this.#door.addon.compile(call, filter, snapLength, instructionsMax))).number
  }

  group(): LimitGroup {
    return new RingLimit(this.#door.addon)
  }

  async open(spec: DriverSpec, onEvent: (event: TapEvent) => void): Promise<DriverTap> {
    const { sink, group } = spec
    const opened = Promise.withResolvers<number>()
    const { number: ringBytes } = await this.#door.call(call => {
      const tap = this.#door.addon.open(
        call,
        spec.interfaceName,
        spec.netns ?? '',
        spec.filter,
        spec.snapLength,
        flagsOf(spec),
        spec.ringBytes,
        group instanceof RingLimit ? group.group : null,
        sink.fd,
        sink.bytesLeft,
        sink.isEmpty,
        spec.filterInstructionsMax ?? filterInstructions.most,
        spec.window?.fromMs ?? 0,
        spec.window?.untilMs ?? Number.POSITIVE_INFINITY,
      )
      this.#door.onTap(tap, event => onEvent(tapEvent(event)))
      opened.resolve(tap)
    })
    const tap = new RingTap(this.#door, await opened.promise, ringBytes)
    this.#taps.add(tap)
    return tap
  }

  async links(netns?: string): Promise<readonly Link[]> {
    return (await this.#door.call(call => this.#door.addon.links(call, netns ?? ''))).links
  }

  watchLinks(onChange: (change: LinkChange) => void): Disposable {
    return this.#watch.subscribe(onChange)
  }

  pipe(bytes: number): Pipe {
    const [readFd, writeFd] = this.#door.addon.pipe(bytes)
    return { readFd, writeFd }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#taps].map(tap => tap.close()))
  }
}

function flagsOf({ format, payload, insideIsPod }: DriverSpec): number {
  return (format === 'pcapng' ? 1 : 0) | (payload === 'Headers' ? 2 : 0) | (insideIsPod ? 4 : 0)
}

function tapEvent(event: NativeEvent): TapEvent {
  switch (event.kind) {
    case 'firstPacket':
      return { kind: 'firstPacket', atMs: event.number / 1e6 }
    case 'moved':
      return { kind: 'moved', fd: event.number, counters: event.counters }
    case 'limit':
      return { kind: 'limit', limit: event.flag ? 'bytes' : 'packets' }
    case 'writeFailed':
      return { kind: 'writeFailed', fd: event.number, code: event.code }
    default:
      return { kind: 'down' }
  }
}

// The addon keeps one thread for each environment, so its door is made once.
const doors: Door[] = []

function doorOfThisEnvironment(): Door {
  const door = doors[0] ?? new Door()
  doors[0] = door
  return door
}
