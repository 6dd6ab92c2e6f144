// The live stream of one capture on this node: one pcapng stream of all its endpoints, from now on until its window closes.
// In: the engine's turns. Out: a Readable. It follows the capture's open taps with taps of its own, which write into pipes, so
// nothing that happens here is felt by a file: a slow reader's packets are refused in the driver, counted, and told in the stream.
// An endpoint that cannot be tapped stands in the stream with the reason, and is tried again.
import type { Readable } from 'node:stream'
import type { Driver } from '../driver/driver.ts'
import { isExpected, StreamError } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'
import type { TurnListeners } from '../model/turnListener.ts'
import { NodeScan } from '../netdev/interfaceResolver.ts'
import { interfaceBlock, sectionOf } from '../pcap/fileHeader.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import type { MergeLimits } from './merge.ts'
import { MergedStream } from './mergedStream.ts'
import type { MergeInput } from './mergeInput.ts'
import { Retries } from './retries.ts'
import type { RingLease, StreamBudget } from './streamBudget.ts'
import { StreamTap } from './streamTap.ts'

export type NodeStreamDeps = {
  readonly driver: Driver
  readonly turns: TurnListeners
  readonly clock: Clock
  readonly node: string
  readonly log: Logger
  readonly budget: StreamBudget
  readonly limits?: Partial<MergeLimits>
}

export type NodeStream = { readonly stream: Readable; close(): Promise<void> }

/** Refuses with StreamError: the capture is not open, is another one by now, or too many streams are open. */
export function openNodeStream(parts: NodeStreamDeps, captureKey: string, uid: string): NodeStream {
  const open = parts.turns.specsOf(captureKey)
  if (!open)
    throw new StreamError('NotOpen', `Cannot open a stream of "${captureKey}": the capture is not open on node "${parts.node}" now`)
  if (open.capture.uid !== uid)
    throw new StreamError('NotOpen', `Cannot open a stream of "${captureKey}": expected uid "${uid}", found "${open.capture.uid}"`)
  return new NodeStreamSession(parts, captureKey, uid)
}

type OpenStream = { readonly tap: StreamTap; readonly lane: MergeInput; readonly loan: RingLease }

// A packet is handed over up to 100 ms after it came; a node so busy that it takes 100 more gives packets out of order.
const defaultLimits = { windowMs: 200 } as const
const tickMs = 1_000
const pipesBytesMax = 16 * 1024 * 1024
const pipeBytes = { least: 65_536, most: 1_048_576 } as const

class NodeStreamSession implements NodeStream {
  readonly #parts: NodeStreamDeps
  readonly #key: string
  readonly #uid: string
  readonly #outlet: MergedStream
  readonly #taps = new Map<string, OpenStream>() // by spec id
  readonly #ending = new Set<OpenStream>() // closed, and not read to the end
  readonly #retries = new Retries()
  readonly #stop = new AbortController()
  readonly #held: readonly Disposable[]
  readonly #lookAgain: () => Promise<void>
  readonly #closed = Promise.withResolvers<void>()
  #isOver = false // the capture is, or the reader has gone

  constructor(parts: NodeStreamDeps, key: string, uid: string) {
    this.#parts = parts
    this.#key = key
    this.#uid = uid
    const place = parts.budget.reserveStream()
    this.#outlet = new MergedStream({
      section: sectionOf(`capture ${key}, live from node ${parts.node}`),
      clock: parts.clock,
      limits: { ...defaultLimits, ...parts.limits },
      onPressure: isHigh => this.#press(isHigh),
      onClose: () => void this.#leave(),
    })
    const look = singleFlight(() => this.#look())
    this.#lookAgain = () => look().catch(error => void this.stream.destroy(error))
    const links = parts.driver.watchLinks(({ kind }) => kind === 'present' && this.#retries.retryNow() && this.#lookAgain())
    this.#held = [place, links, parts.turns.watchTurns({ turned: () => void this.#lookAgain() })]
    void this.#lookAgain()
    void this.#tick()
  }

  get stream(): Readable {
    return this.#outlet.stream
  }

  close(): Promise<void> {
    this.stream.destroy()
    return this.#closed.promise
  }

  async #look(): Promise<void> {
    const open = this.#parts.turns.specsOf(this.#key)
    this.#isOver ||= open?.capture.uid !== this.#uid || this.#stop.signal.aborted
    const wanted = new Map(this.#isOver ? [] : open?.specs.map(spec => [spec.id, spec]))
    const stale = [...this.#taps.values()].filter(({ tap }) => !isSame(tap.spec, wanted.get(tap.spec.id)))
    await Promise.all(stale.map(each => this.#close(each)))
    for (const { tap } of this.#taps.values()) tap.adjust(wanted.get(tap.spec.id) ?? tap.spec)
    this.#retries.keep(wanted)
    const nowMs = this.#parts.clock.now()
    const missing = [...wanted.values()].filter(({ id }) => !this.#taps.has(id) && this.#retries.isDue(id, nowMs))
    const scan = new NodeScan(this.#parts.driver)
    await Promise.all(missing.map(spec => this.#open(spec, scan, pipeBytesFor(wanted.size))))
    this.#finishIfOver()
  }

  async #open(spec: TapSpec, scan: NodeScan, pipeBytes: number): Promise<void> {
    const { driver, budget } = this.#parts
    let loan: RingLease | undefined // given back where the tap does not open
    try {
      const place = await scan.find(spec)
      loan = budget.leaseRing(() => this.#evict(spec))
      const onDown = () => void this.#examine(spec.id)
      const tap = await StreamTap.open({ driver, spec, place, ringBytes: loan.bytes, pipeBytes, onDown })
      this.#retries.succeeded(spec.id)
      this.#follow({ tap, lane: this.#outlet.join(), loan })
    } catch (error) {
      if (loan) budget.returnRing(loan)
      if (!isExpected(error)) throw error
      this.#failed(spec, error.message)
    }
  }

  #follow(open: OpenStream): void {
    const { tap, lane } = open
    this.#outlet.push(lane, this.#header(tap.spec, tap.place.interfaceName))
    this.#taps.set(tap.spec.id, open)
    tap.read({ onBytes: bytes => void this.#outlet.push(lane, bytes), onEnd: () => void this.#end(open) })
    if (this.#outlet.isHigh) tap.pause()
  }

  async #close(open: OpenStream): Promise<void> {
    const { tap, loan } = open
    if (this.#taps.get(tap.spec.id) === open) this.#taps.delete(tap.spec.id)
    this.#ending.add(open)
    await tap.close()
    this.#parts.budget.returnRing(loan)
  }

  // The pipe is read to its end.
  async #end(open: OpenStream): Promise<void> {
    await this.#close(open)
    this.#count(open)
    this.#outlet.end(open.lane)
    this.#ending.delete(open)
    this.#finishIfOver()
  }

  #finishIfOver(): void {
    if (this.#isOver && this.#taps.size === 0 && this.#ending.size === 0) this.#outlet.finish()
  }

  /** Files need its ring. */
  async #evict(spec: TapSpec): Promise<void> {
    if (!this.#taps.has(spec.id)) await this.#lookAgain() // it is being opened
    const open = this.#taps.get(spec.id)
    if (!open) return
    await this.#close(open)
    this.#failed(spec, 'Cannot go on: the ring memory is needed for files')
  }

  // The driver's word that nothing comes: an interface that is only down goes on by itself, any other is looked for again.
  async #examine(id: string): Promise<void> {
    const open = this.#taps.get(id)
    if (!open) return
    const { netns, interfaceName } = open.tap.place
    const links = await this.#parts.driver.links(netns).catch(() => []) // its namespace is gone
    if (links.some(({ name, isUp }) => name === interfaceName && !isUp)) return
    await this.#close(open)
    void this.#lookAgain()
  }

  #failed(spec: TapSpec, message: string): void {
    const { log, clock } = this.#parts
    if (!this.#retries.failed(spec.id, message, clock.now())) return
    log.warn({ capture: this.#key, endpoint: spec.endpoint.name, error: message }, 'endpoint not streamed')
    const lane = this.#outlet.join()
    this.#outlet.push(lane, this.#header(spec, spec.interfaceName ?? 'unknown', message))
    this.#outlet.end(lane)
  }

  #header({ endpoint, snapLength, filter }: TapSpec, interfaceName: string, trouble?: string): Buffer {
    const comment = `node ${this.#parts.node}${trouble === undefined ? '' : `; not in this stream: ${trouble}`}`
    const facts = { snapLength, filter, interfaceName, endpoint: `${endpoint.namespace}/${endpoint.name}` }
    return Buffer.concat([sectionOf(''), interfaceBlock(facts, comment)])
  }

  #press(isHigh: boolean): void {
    for (const { tap } of [...this.#taps.values(), ...this.#ending]) isHigh ? tap.pause() : tap.resume()
  }

  #count({ tap, lane }: OpenStream): void {
    const { received, dropped, refused } = tap.counters()
    this.#outlet.count(lane, 0, { received, lost: dropped + refused })
  }

  async #tick(): Promise<void> {
    const { clock } = this.#parts
    while (!this.#stop.signal.aborted) {
      await clock.sleepUntil(clock.now() + tickMs, this.#stop.signal)
      for (const open of this.#taps.values()) this.#count(open)
      if (this.#retries.hasDue(clock.now())) void this.#lookAgain()
    }
  }

  // The stream has its end, or its reader has gone: nothing stays open.
  async #leave(): Promise<void> {
    this.#stop.abort()
    await this.#lookAgain()
    await Promise.all([...this.#ending].map(({ tap }) => tap.destroy()))
    for (const each of this.#held) each[Symbol.dispose]()
    this.#closed.resolve()
  }
}

/** Whether the same packets would come. */
function isSame(one: TapSpec, other: TapSpec | undefined): boolean {
  if (!other || one.endpoint.uid !== other.endpoint.uid) return false
  const keys = ['interfaceName', 'vantage', 'filter', 'snapLength', 'payload'] as const
  return keys.every(key => one[key] === other[key])
}

/** The more endpoints, the less for each. */
function pipeBytesFor(endpoints: number): number {
  const share = pipesBytesMax / Math.max(1, endpoints)
  return Math.max(pipeBytes.least, Math.min(pipeBytes.most, 2 ** Math.floor(Math.log2(share))))
}
