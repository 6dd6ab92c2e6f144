// One tap of the portable driver: a process with a libpcap session and a writer for its records. An interface that is set
// down and up again goes on by itself; when it goes for good, `down` is told and the session is let go at once.
import { snapLengthMax } from '../../model/capture.ts'
import { isWithin, type TapWindow } from '../../model/tapWindow.ts'
import { headersLength } from '../../pcap/headersLength.ts'
import type { Driver, DriverSpec, DriverTap, Sink, TapCounters, TapEvent } from '../driver.ts'
import { firstMessage, PcapChild } from './pcapChild.ts'
import type { ChildMessage, Packet } from './pcapMessage.ts'
import { RecordWriter, type WriterEvent } from './recordWriter.ts'
import { SharedLimit } from './sharedLimit.ts'

const blockBytes = 262_144 // libpcap makes TPACKET_V3 rings of whole blocks of the greatest snap length

const pollIntervalMs = 500 // the session asks for its drops at least that often

type Links = Pick<Driver, 'links' | 'watchLinks'>

export class LibpcapTap implements DriverTap {
  readonly ringBytes: number
  readonly #spec: DriverSpec
  readonly #links: Links
  readonly #emit: (event: TapEvent) => void
  readonly #writer: RecordWriter
  readonly #membership: Disposable
  readonly #child: PcapChild
  #isDown = false
  #watching: Disposable | undefined
  #window: TapWindow
  #allDropped = 0 // by the kernel, at any time
  #dropped = 0 // of these, within the window
  #droppedTold = 0 // in a pcapng record
  #truncated = 0
  #running: Promise<void> = Promise.resolve()
  #closed: Promise<TapCounters> | undefined

  static async open(spec: DriverSpec, links: Links, onEvent: (event: TapEvent) => void): Promise<LibpcapTap> {
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
    this.#emit = event => queueMicrotask(() => onEvent(event)) // never within a call of the listener's own
    this.#writer = new RecordWriter({ format: spec.format, group, sink: spec.sink, emit: event => this.#pass(event) })
    this.#membership = group.join(limit => this.#emit({ kind: 'limit', limit }))
    this.ringBytes = Math.max(2, Math.ceil(spec.ringBytes / blockBytes)) * blockBytes
    const { interfaceName, filter, netns } = spec
    const snapLength = Math.min(spec.snapLength, snapLengthMax)
    this.#child = new PcapChild({ act: 'live', interfaceName, filter, snapLength, ringBytes: this.ringBytes }, netns)
  }

  counters(): TapCounters {
    const written = this.#writer.written
    const received = written.packets + written.refused + this.#dropped
    return { ...written, dropped: this.#dropped, truncated: this.#truncated, received }
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
    this.#watching?.[Symbol.dispose]()
    this.#membership[Symbol.dispose]()
    return this.counters()
  }

  async #start(): Promise<void> {
    await firstMessage(this.#child, this.#what)
    this.#running = this.#drain()
  }

  /** Writes what the session tells, until it ends. Waiting for room makes packets wait in its ring. */
  async #drain(): Promise<void> {
    const { reader } = this.#child
    do {
      for (let message = reader.peek(); message; message = reader.peek()) {
        if ('packet' in message) await this.#take(message.packet)
        else this.#hear(message.news)
        reader.skip()
      }
      this.#writer.flush()
    } while (await this.#child.more())
  }

  async #take(packet: Packet): Promise<void> {
    const { seconds, microseconds, original } = packet
    if (!isWithin(this.#window, seconds * 1_000 + microseconds / 1_000)) return
    const wanted = Math.min(this.#spec.snapLength, original)
    if (packet.bytes.length < wanted) this.#truncated++
    const bytes = this.#spec.payload === 'Headers' ? packet.bytes.subarray(0, headersLength(packet.bytes)) : packet.bytes
    const record = { seconds, microseconds, original, bytes, droppedBefore: this.#dropped - this.#droppedTold }
    while (!this.#writer.accept(record)) await this.#writer.room()
    this.#droppedTold = this.#dropped
    this.#isDown = false
  }

  #hear(news: ChildMessage): void {
    if (news.kind === 'dropped') this.#countDrops(news.dropped)
    if (news.kind === 'down') this.#goDown()
    if (news.kind === 'paused') void this.#lookWhetherDown()
  }

  // Drops have no time: those that may be of the window count.
  #countDrops(allDropped: number): void {
    const { fromMs = 0, untilMs = Number.POSITIVE_INFINITY } = this.#window
    const nowMs = Date.now()
    if (nowMs >= fromMs && nowMs - pollIntervalMs < untilMs) this.#dropped += allDropped - this.#allDropped
    this.#allDropped = allDropped
  }

  // The session may also be woken for nothing by packets from before its filter: whether it is down the interface knows.
  async #lookWhetherDown(): Promise<void> {
    this.#watch()
    const links = await this.#links.links(this.#spec.netns).catch(() => []) // the namespace has gone
    if (!links.some(({ name, isUp }) => isUp && name === this.#spec.interfaceName)) this.#goDown()
  }

  #goDown(): void {
    if (!this.#isDown) this.#emit({ kind: 'down' })
    this.#isDown = true
  }

  /** The session tells of the first time only that the interface is set down; later ones are seen from outside. */
  #watch(): void {
    if (this.#spec.netns !== undefined || this.#watching) return
    this.#watching = this.#links.watchLinks(({ kind, name }) => {
      if (name !== this.#spec.interfaceName || this.#closed) return
      if (kind === 'present') this.#isDown = false
      else this.#goDown()
    })
  }

  #pass(event: WriterEvent): void {
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
