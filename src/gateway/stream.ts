// A capture's live stream over all its nodes. In: the nodes that have files of the capture, from
// the cache. Out: one pcapng stream in the order of time, within a bounded window. Refuses a
// capture that is over on every node. A node joins when it has endpoints of the capture, and leaves
// when the capture is over there; a node that breaks off is asked again. Packets that a slow reader
// cannot take are dropped here or on the node, and the stream counts them.
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import type { AgentAddress, Agents } from '../agentapi/client/agents.ts'
import { capturePath } from '../agentapi/paths.ts'
import { sectionOf } from '../pcap/fileHeader.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { MergedStream } from '../stream/mergedStream.ts'
import type { CaptureCache, GatewayCapture, NodeFiles } from './captureCache.ts'

export type StreamDeps = {
  readonly cluster: Pick<CaptureCache, 'nodesWithFiles' | 'capture'>
  readonly agents: Pick<Agents, 'request'>
  readonly clock: Clock
  readonly log: Logger
}

/** `lost`: packets that the stream lacks so far. */
export type LiveStream = { readonly stream: Readable; readonly lost: number }

const pollIntervalMs = 1_000
const reconnectMs = 2_000
const over = ['Finished', 'Error'] as const

/** undefined: the capture is over on every node, no packet would ever come. */
export function openStream(deps: StreamDeps, capture: GatewayCapture): LiveStream | undefined {
  const states = deps.cluster.nodesWithFiles(capture).map(({ row }) => row.file.state)
  if (states.length > 0 && states.every(isOver)) return undefined
  return new CaptureStream(deps, capture)
}

class CaptureStream {
  readonly #deps: StreamDeps
  readonly #capture: GatewayCapture
  readonly #merged: MergedStream
  readonly #stop = new AbortController()
  readonly #responses = new Map<string, IncomingMessage | undefined>() // by node; undefined: no answer yet
  readonly #reconnectAtMs = new Map<string, number>() // by node
  readonly #loggedReasons = new Map<string, string>() // by node, until it gives a stream

  constructor(deps: StreamDeps, capture: GatewayCapture) {
    this.#deps = deps
    this.#capture = capture
    const { namespace, name } = capture.metadata
    this.#merged = new MergedStream({
      section: sectionOf(`capture ${namespace}/${name}, live`),
      clock: deps.clock,
      onPressure: isHigh => this.#applyBackpressure(isHigh),
      onClose: () => this.#stop.abort(),
    })
    void this.#followNodes()
  }

  get stream(): Readable {
    return this.#merged.stream
  }

  get lost(): number {
    return this.#merged.lost
  }

  async #followNodes(): Promise<void> {
    const { clock, cluster } = this.#deps
    const { namespace, name, uid } = this.#capture.metadata
    while (!this.#stop.signal.aborted) {
      const nodes = cluster.nodesWithFiles(this.#capture)
      const isGone = cluster.capture(namespace, name, this.#capture.kind)?.metadata.uid !== uid
      const isOverEverywhere = nodes.length > 0 && nodes.every(({ row }) => isOver(row.file.state))
      if (this.#responses.size === 0 && (isGone || isOverEverywhere)) return this.#merged.finish()
      for (const node of nodes) if (this.#isDue(node)) void this.#connectNode(node)
      await clock.sleepUntil(clock.now() + pollIntervalMs, this.#stop.signal)
    }
    for (const response of this.#responses.values()) response?.destroy()
  }

  #isDue({ node, row }: NodeFiles): boolean {
    const nowMs = this.#deps.clock.now()
    const dueMs = this.#reconnectAtMs.get(node) ?? 0
    return (
      !this.#responses.has(node) &&
      !isOver(row.file.state) &&
      (nowMs >= dueMs || dueMs - nowMs > reconnectMs)
    )
  }

  async #connectNode({ node, place }: NodeFiles): Promise<void> {
    this.#responses.set(node, undefined)
    const reason = await this.#streamFrom(place).catch((error: Error) => error.message)
    if (reason !== undefined && !this.#stop.signal.aborted) this.#logOnce(node, reason)
    this.#responses.delete(node)
    this.#reconnectAtMs.set(node, this.#deps.clock.now() + reconnectMs)
  }

  /** Returns when the node's stream has ended: why, or undefined where the agent ended it. */
  async #streamFrom(place: AgentAddress): Promise<string | undefined> {
    const path = capturePath({ api: this.#capture.kind, ...this.#capture.metadata }, 'stream')
    const response = await this.#deps.agents.request(place, {
      path,
      signal: this.#stop.signal,
      isQuiet: true,
    })
    this.#responses.set(place.node, response)
    if (response.statusCode === 200) {
      this.#loggedReasons.delete(place.node)
      return this.#pipe(response)
    }
    response.resume()
    return `the agent answered ${response.statusCode}` // 409: the capture is not open there at this moment
  }

  async #pipe(response: IncomingMessage): Promise<string | undefined> {
    const input = this.#merged.join()
    if (this.#merged.isHigh) response.pause()
    const reason = await new Promise<string | undefined>(resolve => {
      response.on('data', (bytes: Buffer) => {
        const problem = this.#merged.push(input, bytes)
        if (problem === undefined) return
        resolve(problem)
        response.destroy()
      })
      response
        .once('close', () => resolve(undefined))
        .once('error', error => resolve(error.message))
    })
    this.#merged.end(input)
    return reason
  }

  #applyBackpressure(isHigh: boolean): void {
    for (const response of this.#responses.values()) isHigh ? response?.pause() : response?.resume()
  }

  /** A node is asked every two seconds: the log has a line when its reason changes. */
  #logOnce(node: string, reason: string): void {
    if (this.#loggedReasons.get(node) === reason) return
    this.#loggedReasons.set(node, reason)
    const { kind, metadata } = this.#capture
    this.#deps.log.info(
      { node, kind, namespace: metadata.namespace, name: metadata.name, reason },
      'node not in the stream, asked again',
    )
  }
}

function isOver(state: string): boolean {
  return over.some(each => each === state)
}
