// A capture's live stream over all its nodes: one pcapng stream of the agents' streams, in time order within a bounded window.
// Nodes join when they have endpoints of it and leave when theirs is over; one that breaks off is asked again. It ends when the
// capture is over everywhere, or its reader has gone. What a slow reader cannot take is dropped here or on the node, counted, and
// told in the stream.
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { Agents } from '../agentapi/client/agents.ts'
import { sectionOf } from '../pcap/fileHeader.ts'
import type { Clock } from '../runtime/clock.ts'
import { MergedStream } from '../stream/mergedStream.ts'
import type { CaptureCache, GatewayCapture, NodeFiles } from './captureCache.ts'

export type StreamDeps = { readonly cluster: CaptureCache; readonly agents: Agents; readonly clock: Clock }

/** `lost`: packets that the stream lacks so far. */
export type LiveStream = { readonly stream: Readable; readonly lost: number }

const pollIntervalMs = 1_000
const reconnectMs = 2_000
const over = ['Finished', 'Error'] as const

/** undefined: the capture is over on every node, nothing would ever come. */
export function openStream(parts: StreamDeps, capture: GatewayCapture): LiveStream | undefined {
  const states = parts.cluster.nodesWithFiles(capture).map(({ row }) => row.file.state)
  if (states.length > 0 && states.every(isOver)) return undefined
  return new CaptureStream(parts, capture)
}

class CaptureStream {
  readonly #parts: StreamDeps
  readonly #capture: GatewayCapture
  readonly #outlet: MergedStream
  readonly #stop = new AbortController()
  readonly #live = new Map<string, IncomingMessage | undefined>() // node → its stream; undefined: asked for
  readonly #notBefore = new Map<string, number>() // node → when it may be asked again

  constructor(parts: StreamDeps, capture: GatewayCapture) {
    this.#parts = parts
    this.#capture = capture
    const { namespace, name } = capture.metadata
    this.#outlet = new MergedStream({
      section: sectionOf(`capture ${namespace}/${name}, live`),
      clock: parts.clock,
      onPressure: isHigh => this.#press(isHigh),
      onClose: () => this.#stop.abort(),
    })
    void this.#follow()
  }

  get stream(): Readable {
    return this.#outlet.stream
  }

  get lost(): number {
    return this.#outlet.lost
  }

  async #follow(): Promise<void> {
    const { clock, cluster } = this.#parts
    const { namespace, name, uid } = this.#capture.metadata
    while (!this.#stop.signal.aborted) {
      const holdings = cluster.nodesWithFiles(this.#capture)
      const isGone = cluster.capture(namespace, name, this.#capture.kind)?.metadata.uid !== uid
      const isEverywhereOver = holdings.length > 0 && holdings.every(({ row }) => isOver(row.file.state))
      if (this.#live.size === 0 && (isGone || isEverywhereOver)) return this.#outlet.finish()
      for (const holding of holdings) if (this.#isWanted(holding)) void this.#join(holding)
      await clock.sleepUntil(clock.now() + pollIntervalMs, this.#stop.signal)
    }
    for (const response of this.#live.values()) response?.destroy()
  }

  #isWanted({ node, row }: NodeFiles): boolean {
    const nowMs = this.#parts.clock.now()
    const dueMs = this.#notBefore.get(node) ?? 0
    return !this.#live.has(node) && !isOver(row.file.state) && (nowMs >= dueMs || dueMs - nowMs > reconnectMs)
  }

  async #join({ node, place }: NodeFiles): Promise<void> {
    const { agents, clock } = this.#parts
    const { namespace, name, uid } = this.#capture.metadata
    this.#live.set(node, undefined)
    try {
      const response = await agents.request(place, {
        path: `/v1/captures/${namespace}/${name}/${uid}/stream`,
        signal: this.#stop.signal,
        isQuiet: true,
      })
      this.#live.set(node, response)
      if (response.statusCode === 200) await this.#pass(response)
      else response.resume() // 409: its window is not open
    } catch {} // told by the agents' own side; asked again
    this.#live.delete(node)
    this.#notBefore.set(node, clock.now() + reconnectMs)
  }

  async #pass(response: IncomingMessage): Promise<void> {
    const lane = this.#outlet.join()
    if (this.#outlet.isHigh) response.pause()
    await new Promise<void>(resolve => {
      response.on('data', (bytes: Buffer) => {
        if (this.#outlet.push(lane, bytes) !== undefined) response.destroy()
      })
      response.once('close', resolve).once('error', () => resolve())
    })
    this.#outlet.end(lane)
  }

  #press(isHigh: boolean): void {
    for (const response of this.#live.values()) isHigh ? response?.pause() : response?.resume()
  }
}

function isOver(state: string): boolean {
  return over.some(each => each === state)
}
