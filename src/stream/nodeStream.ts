// The live stream of one capture on this node: one pcapng stream of all its endpoints, until the
// capture's window closes. In: the engine's turns. Out: a Readable. Refuses with StreamError. It
// opens taps of its own beside the capture's, and they write into pipes, so that a slow stream
// never affects the files: the driver refuses and counts its packets, and the stream reports the
// count. An endpoint that cannot be tapped has an interface block with the reason, and is tried
// again.
import type { Readable } from 'node:stream'
import type { Driver } from '../driver/driver.ts'
import { isExpected, StreamError, TapError } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'
import type { TurnListeners } from '../model/turnListener.ts'
import { InterfaceResolver, isSameInterface } from '../netdev/interfaceResolver.ts'
import { type HeaderOptions, interfaceBlock, sectionOf } from '../pcap/fileHeader.ts'
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

/** Refuses a capture that is not open, another uid, and one stream too many. */
export function openNodeStream(deps: NodeStreamDeps, captureKey: string, uid: string): NodeStream {
  const open = deps.turns.specsOf(captureKey)
  if (!open)
    throw new StreamError(
      'NotOpen',
      `Cannot open a stream of "${captureKey}": the capture is not open on node "${deps.node}" now`,
    )
  if (open.capture.uid !== uid)
    throw new StreamError(
      'NotOpen',
      `Cannot open a stream of "${captureKey}": expected uid "${uid}", found "${open.capture.uid}"`,
    )
  return new NodeStreamSession(deps, captureKey, uid)
}

type OpenTap = { readonly tap: StreamTap; readonly input: MergeInput; readonly lease: RingLease }

// The kernel hands a packet over within 100 ms. A busy node that takes 100 ms more sends packets
// out of order.
const defaultLimits = { windowMs: 200 } as const
const tickMs = 1_000
const lookTicks = 4
const pipesBytesMax = 16 * 1024 * 1024
const pipeBytes = { least: 65_536, most: 1_048_576 } as const

class NodeStreamSession implements NodeStream {
  readonly #deps: NodeStreamDeps
  readonly #key: string
  readonly #uid: string
  readonly #merged: MergedStream
  readonly #taps = new Map<string, OpenTap>() // by spec id
  readonly #ending = new Set<OpenTap>() // closed, but not read to the end
  readonly #retries = new Retries()
  readonly #stop = new AbortController()
  readonly #subscriptions: readonly Disposable[]
  readonly #syncAgain: () => Promise<void>
  readonly #closed = Promise.withResolvers<void>()
  #isOver = false // the capture's window closed, or the reader is gone

  constructor(deps: NodeStreamDeps, key: string, uid: string) {
    this.#deps = deps
    this.#key = key
    this.#uid = uid
    const reservation = deps.budget.reserveStream()
    this.#merged = new MergedStream({
      section: sectionOf(`capture ${key}, live from node ${deps.node}`),
      clock: deps.clock,
      limits: { ...defaultLimits, ...deps.limits },
      onPressure: isHigh => this.#applyBackpressure(isHigh),
      onClose: () => void this.#shutDown(),
    })
    const sync = singleFlight(() => this.#sync())
    this.#syncAgain = () => sync().catch(error => void this.stream.destroy(error))
    const links = deps.driver.watchLinks(
      ({ kind }) => kind === 'present' && this.#retries.retryNow() && this.#syncAgain(),
    )
    this.#subscriptions = [
      reservation,
      links,
      deps.turns.watchTurns({ turned: () => void this.#syncAgain() }),
    ]
    void this.#syncAgain()
    void this.#tick()
  }

  get stream(): Readable {
    return this.#merged.stream
  }

  close(): Promise<void> {
    this.stream.destroy()
    return this.#closed.promise
  }

  /** Opens and closes taps until they are those of the capture's open taps. */
  async #sync(): Promise<void> {
    const open = this.#deps.turns.specsOf(this.#key)
    this.#isOver ||= open?.capture.uid !== this.#uid || this.#stop.signal.aborted
    const wanted = new Map(this.#isOver ? [] : open?.specs.map(spec => [spec.id, spec]))
    const stale = [...this.#taps.values()].filter(
      ({ tap }) => !isSame(tap.spec, wanted.get(tap.spec.id)),
    )
    await Promise.all(stale.map(each => this.#close(each)))
    for (const { tap } of this.#taps.values()) tap.adjust(wanted.get(tap.spec.id) ?? tap.spec)
    this.#retries.retain(wanted)
    const nowMs = this.#deps.clock.now()
    const missing = [...wanted.values()].filter(
      ({ id }) => !this.#taps.has(id) && this.#retries.isDue(id, nowMs),
    )
    const scan = new InterfaceResolver(this.#deps.driver)
    await Promise.all(missing.map(spec => this.#open(spec, scan, pipeBytesFor(wanted.size))))
    this.#finishIfOver()
  }

  async #open(spec: TapSpec, scan: InterfaceResolver, pipeBytes: number): Promise<void> {
    const { driver, budget } = this.#deps
    let lease: RingLease | undefined // returned if the tap does not open
    try {
      const match = await scan.find(spec)
      lease = budget.leaseRing(() => this.#evict(spec))
      const onLost = () => void this.#reopen(spec.id)
      const tap = await StreamTap.open({
        driver,
        spec,
        match,
        ringBytes: lease.bytes,
        pipeBytes,
        onLost,
      })
      this.#retries.succeeded(spec.id)
      this.#follow({ tap, input: this.#merged.join(), lease })
    } catch (error) {
      if (lease) budget.returnRing(lease)
      if (!isExpected(error)) throw error
      this.#failed(spec, error.message)
    }
  }

  #follow(open: OpenTap): void {
    const { tap, input } = open
    this.#merged.push(input, this.#header(tap.spec, tap.match))
    this.#taps.set(tap.spec.id, open)
    tap.read({
      onBytes: bytes => void this.#merged.push(input, bytes),
      onEnd: () => void this.#end(open),
    })
    if (this.#merged.isHigh) tap.pause()
  }

  async #close(open: OpenTap): Promise<void> {
    const { tap, lease } = open
    if (this.#taps.get(tap.spec.id) === open) this.#taps.delete(tap.spec.id)
    this.#ending.add(open)
    await tap.close()
    this.#deps.budget.returnRing(lease)
  }

  // The pipe was read to its end.
  async #end(open: OpenTap): Promise<void> {
    await this.#close(open)
    this.#count(open)
    this.#merged.end(open.input)
    this.#ending.delete(open)
    this.#finishIfOver()
  }

  #finishIfOver(): void {
    if (this.#isOver && this.#taps.size === 0 && this.#ending.size === 0) this.#merged.finish()
  }

  /** The ring memory is needed for files. */
  async #evict(spec: TapSpec): Promise<void> {
    if (!this.#taps.has(spec.id)) await this.#syncAgain() // the tap is being opened
    const open = this.#taps.get(spec.id)
    if (!open) return
    await this.#close(open)
    this.#failed(spec, 'Cannot go on: the ring memory is needed for files')
  }

  // The interface is gone or is another one: it is looked for again.
  async #reopen(id: string): Promise<void> {
    const open = this.#taps.get(id)
    if (!open) return
    await this.#close(open)
    void this.#syncAgain()
  }

  /** By time, as src/tap does for files. Without an answer all stays as it is. */
  async #lookAtInterfaces(): Promise<void> {
    const scan = new InterfaceResolver(this.#deps.driver)
    await Promise.all(
      Array.from(this.#taps.values(), async ({ tap }) => {
        const isSame = await scan.find(tap.spec).then(
          found => isSameInterface(found, tap.match),
          (error: unknown) => {
            if (!(error instanceof TapError)) throw error
            return error.code !== 'NO_INTERFACE'
          },
        )
        if (!isSame) await this.#reopen(tap.spec.id)
      }),
    )
  }

  #failed(spec: TapSpec, message: string): void {
    const { log, clock } = this.#deps
    if (!this.#retries.failed(spec.id, message, clock.now())) return
    log.warn(
      { capture: this.#key, endpoint: spec.endpoint.name, error: message },
      'endpoint not streamed',
    )
    const input = this.#merged.join()
    this.#merged.push(
      input,
      this.#header(spec, { interfaceName: spec.interfaceName ?? 'unknown' }, message),
    )
    this.#merged.end(input)
  }

  #header(
    { endpoint, snapLength, filter }: TapSpec,
    { interfaceName, linkType }: Pick<HeaderOptions, 'interfaceName' | 'linkType'>,
    trouble?: string,
  ): Buffer {
    const comment = `node ${this.#deps.node}${trouble === undefined ? '' : `; not in this stream: ${trouble}`}`
    const header = {
      snapLength,
      filter,
      interfaceName,
      ...(linkType && { linkType }),
      endpoint: `${endpoint.namespace}/${endpoint.name}`,
    }
    return Buffer.concat([sectionOf(''), interfaceBlock(header, comment)])
  }

  #applyBackpressure(isHigh: boolean): void {
    for (const { tap } of [...this.#taps.values(), ...this.#ending])
      isHigh ? tap.pause() : tap.resume()
  }

  #count({ tap, input }: OpenTap): void {
    const { received, dropped, refused } = tap.counters()
    this.#merged.count(input, 0, { received, lost: dropped + refused })
  }

  async #tick(): Promise<void> {
    const { clock } = this.#deps
    for (let ticks = 1; !this.#stop.signal.aborted; ticks++) {
      await clock.sleepUntil(clock.now() + tickMs, this.#stop.signal)
      if (ticks % lookTicks === 0) await this.#lookAtInterfaces()
      for (const open of this.#taps.values()) this.#count(open)
      if (this.#retries.hasDue(clock.now())) void this.#syncAgain()
    }
  }

  // The stream was read to its end, or its reader is gone: closes everything.
  async #shutDown(): Promise<void> {
    this.#stop.abort()
    await this.#syncAgain()
    await Promise.all([...this.#ending].map(({ tap }) => tap.destroy()))
    for (const each of this.#subscriptions) each[Symbol.dispose]()
    this.#closed.resolve()
  }
}

/** Whether both specs capture the same packets. */
function isSame(one: TapSpec, other: TapSpec | undefined): boolean {
  if (!other || one.endpoint.uid !== other.endpoint.uid) return false
  const keys = ['interfaceName', 'vantage', 'filter', 'snapLength', 'payload'] as const
  return keys.every(key => one[key] === other[key])
}

/** An equal share of pipesBytesMax for each endpoint. */
function pipeBytesFor(endpoints: number): number {
  const share = pipesBytesMax / Math.max(1, endpoints)
  return Math.max(pipeBytes.least, Math.min(pipeBytes.most, 2 ** Math.floor(Math.log2(share))))
}
