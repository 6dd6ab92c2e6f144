// One tap of the portable driver: a process with a libpcap session, and a writer for its records.
// In: a spec, and the process's messages. Out: records on sinks, counters, events. Refuses with
// TapError. An interface that is set down and up again resumes by itself; one that is removed gives
// `down`, and the session ends.
import { snapLengthMax } from '../../model/capture.ts'
import { TapError } from '../../model/errors.ts'
import type { LinkType } from '../../model/linkType.ts'
import { isWithin, type TapWindow } from '../../model/tapWindow.ts'
import { headersLength } from '../../pcap/headersLength.ts'
import type {
  Driver,
  DriverSpec,
  DriverTap,
  InterfaceLoss,
  Sink,
  TapCounters,
  TapEvent,
  Waiting,
} from '../driver.ts'
import { linksIfThere } from '../linksIfThere.ts'
import { namespaceId } from '../namespaceId.ts'
import type { ChildMessage, Packet } from './pcapMessage.ts'
import { firstMessage, PcapProcessHandle } from './pcapProcessHandle.ts'
import { RecordWriter, type WriterEvent } from './recordWriter.ts'
import { SharedLimit } from './sharedLimit.ts'

const blockBytes = 262_144 // libpcap makes TPACKET_V3 rings of whole blocks of the greatest snap length

const pollIntervalMs = 500 // the session reads its drop counter at least that often

/** As the package names what libpcap found. */
const sessionLinkTypes: Readonly<Record<LinkType, string>> = {
  Ethernet: 'LINKTYPE_ETHERNET',
  RawIp: 'LINKTYPE_RAW',
}

type Links = Pick<Driver, 'links' | 'watchLinks'>

export class LibpcapTap implements DriverTap {
  readonly ringBytes: number
  readonly #spec: DriverSpec
  readonly #links: Links
  readonly #emit: (event: TapEvent) => void
  readonly #writer: RecordWriter
  readonly #membership: Disposable
  readonly #child: PcapProcessHandle
  #isDown = false
  #watching: Disposable | undefined
  #window: TapWindow
  #allDropped = 0 // by the kernel, at any time
  #dropped = 0 // of these, within the window
  #droppedWritten = 0 // of these, in pcapng records
  #truncated = 0
  #running: Promise<void> = Promise.resolve()
  #closed: Promise<TapCounters> | undefined

  static async open(
    spec: DriverSpec,
    links: Links,
    onEvent: (event: TapEvent) => void,
  ): Promise<LibpcapTap> {
    const tap = new LibpcapTap(spec, links, onEvent)
    try {
      await tap.#start()
      return tap
    } catch (error) {
      await tap.close()
      throw error
    }
  }

  private constructor(spec: DriverSpec, links: Links, onEvent: (event: TapEvent) => void) {
    const group = groupOf(spec)
    this.#spec = spec
    this.#links = links
    this.#window = spec.window ?? {}
    this.#emit = event => queueMicrotask(() => onEvent(event)) // never while the listener is in a call of this tap
    this.#writer = new RecordWriter({
      format: spec.format,
      group,
      sink: spec.sink,
      emit: event => this.#forward(event),
    })
    this.#membership = group.join(limit => this.#emit({ kind: 'limit', limit }))
    this.ringBytes = Math.max(2, Math.ceil(spec.ringBytes / blockBytes)) * blockBytes
    const { interfaceName, filter, netns } = spec
    const snapLength = Math.min(spec.snapLength, snapLengthMax)
    this.#child = new PcapProcessHandle(
      { act: 'live', interfaceName, filter, snapLength, ringBytes: this.ringBytes },
      netns,
    )
  }

  counters(): TapCounters {
    const written = this.#writer.written
    const received = written.packets + written.refused + this.#dropped
    return { ...written, dropped: this.#dropped, truncated: this.#truncated, received }
  }

  waiting(): Waiting {
    return this.#writer.waiting() // the packets after it wait in the ring
  }

  offer(sink: Sink): void {
    this.#writer.offer(sink)
  }

  rotate(): void {
    this.#writer.rotate()
  }

  setBytesLeft(bytesLeft: number): void {
    this.#writer.setBytesLeft(bytesLeft)
  }

  setWindow(window: TapWindow): void {
    this.#window = window
  }

  retry(): void {
    this.#writer.retry()
  }

  close(): Promise<TapCounters> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  async #finish(): Promise<TapCounters> {
    this.#writer.giveUp()
    await this.#child.close()
    await this.#running
    await this.#writer.flush() // a rotation may be under way
    this.#watching?.[Symbol.dispose]()
    this.#membership[Symbol.dispose]()
    return this.counters()
  }

  async #start(): Promise<void> {
    const ready = await firstMessage(this.#child, this.#what)
    await this.#checkIdentity()
    if (ready.kind === 'ready') this.#checkLinkType(ready.linkType)
    this.#running = this.#drain()
  }

  // The header of the file was written before.
  #checkLinkType(found: string): void {
    const expected = sessionLinkTypes[this.#spec.linkType ?? 'Ethernet']
    if (found !== expected)
      throw new TapError(
        'NOT_SUPPORTED',
        `Cannot ${this.#what}: its link type is ${found}, expected ${expected}`,
      )
  }

  /** The session is open: whether on the interface and in the namespace that were asked for. */
  async #checkIdentity(): Promise<void> {
    const { interfaceName, index = 0, netns, netnsId } = this.#spec
    if (netns !== undefined && netnsId !== undefined && (await namespaceId(netns)) !== netnsId)
      throw new TapError(
        'NO_NAMESPACE',
        `Cannot ${this.#what}: another network namespace has the name "${netns}" now`,
      )
    if (index === 0) return
    const links = await linksIfThere(this.#links, netns)
    const found = links.find(({ name }) => name === interfaceName)
    if (found && found.index !== 0 && found.index !== index)
      throw new TapError('NO_INTERFACE', `Cannot ${this.#what}: another interface has its name now`)
  }

  /**
   * Writes the session's packets until it ends. While it waits for room, packets wait in the ring.
   */
  async #drain(): Promise<void> {
    const { reader } = this.#child
    do {
      for (let message = reader.peek(); message; message = reader.peek()) {
        if ('packet' in message) await this.#take(message.packet)
        else this.#handle(message.control)
        reader.skip()
      }
      await this.#writer.flush()
    } while (await this.#child.more())
  }

  async #take(packet: Packet): Promise<void> {
    const { seconds, microseconds, original } = packet
    if (!isWithin(this.#window, seconds * 1_000 + microseconds / 1_000)) return
    const wanted = Math.min(this.#spec.snapLength, original)
    if (packet.bytes.length < wanted) this.#truncated++
    const bytes =
      this.#spec.payload === 'Headers'
        ? packet.bytes.subarray(0, headersLength(packet.bytes, this.#spec.linkType))
        : packet.bytes
    const record = {
      seconds,
      microseconds,
      original,
      bytes,
      droppedBefore: this.#dropped - this.#droppedWritten,
    }
    while (!this.#writer.accept(record)) await this.#writer.room()
    this.#droppedWritten = this.#dropped
    this.#reportUp()
  }

  #handle(message: ChildMessage): void {
    if (message.kind === 'dropped') this.#countDrops(message.dropped)
    if (message.kind === 'down') this.#reportDown('gone')
    if (message.kind === 'paused') void this.#checkInterface()
  }

  // Drops have no time: those that may be within the window count.
  #countDrops(allDropped: number): void {
    const { fromMs = 0, untilMs = Number.POSITIVE_INFINITY } = this.#window
    const nowMs = Date.now()
    if (nowMs >= fromMs && nowMs - pollIntervalMs < untilMs)
      this.#dropped += allDropped - this.#allDropped
    this.#allDropped = allDropped
  }

  // Packets that arrived before the filter was set also wake the session, so the interface's state
  // decides.
  async #checkInterface(): Promise<void> {
    this.#watch()
    const links = await linksIfThere(this.#links, this.#spec.netns)
    const link = links.find(({ name }) => name === this.#spec.interfaceName)
    if (!link?.isUp) this.#reportDown(link ? 'down' : 'gone')
  }

  #reportDown(state: InterfaceLoss['state']): void {
    if (!this.#isDown) this.#emit({ kind: 'down', state, sinceMs: Date.now() })
    this.#isDown = true
  }

  #reportUp(): void {
    if (this.#isDown) this.#emit({ kind: 'up' })
    this.#isDown = false
  }

  /**
   * The session reports only the first time that the interface is set down; link changes report
   * later ones.
   */
  #watch(): void {
    if (this.#spec.netns !== undefined || this.#watching) return
    this.#watching = this.#links.watchLinks(({ kind, name }) => {
      if (name !== this.#spec.interfaceName || this.#closed) return
      if (kind === 'present') this.#reportUp()
      else this.#reportDown(kind)
    })
  }

  #forward(event: WriterEvent): void {
    this.#emit(event.kind === 'moved' ? { ...event, counters: this.counters() } : event)
  }

  get #what(): string {
    return `open tap on "${this.#spec.interfaceName}"`
  }
}

function groupOf({ group }: DriverSpec): SharedLimit {
  if (group === undefined || group instanceof SharedLimit) return group ?? new SharedLimit()
  throw new Error('Cannot use a limit group of another driver: expected one of this driver')
}
