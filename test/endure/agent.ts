// An agent as a target: a simulated node beside a real API server, its captures on a disk of their
// own.
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { NodeReportStatus } from '../../src/core/status/nodeReport.ts'
import {
  packetCapture,
  type SimulatedCluster,
  type SimulatedNode,
} from '../support/kube/simulated.ts'
import type { Namespace } from '../support/net/namespace.ts'
import { claimOf } from './claim.ts'
import { clockEnvironment } from './standalone.ts'
import { type CaptureClaim, type CaptureSpec, metricsPort, prefer, type Target } from './target.ts'
import { writeClock } from './writeWhole.ts'

export class AgentTarget implements Target {
  readonly name = 'agent'
  readonly captures: string
  readonly host: Namespace
  readonly #cluster: SimulatedCluster
  readonly #node: SimulatedNode
  readonly #config: string
  readonly #clockFile: string
  #startedMs = 0

  constructor(root: string, cluster: SimulatedCluster, node: SimulatedNode, settings: object) {
    this.#cluster = cluster
    this.#node = node
    this.captures = node.captures
    this.host = node.namespace
    this.#clockFile = join(root, 'clock')
    this.#config = join(root, 'config.yaml')
    mkdirSync(root, { recursive: true })
    writeFileSync(this.#config, stringify(settings))
    this.setClock(0)
  }

  get pid(): number {
    return this.#node.agent.pid
  }

  get isRunning(): boolean {
    return this.#node.agent.isRunning
  }

  async start(): Promise<void> {
    this.#startedMs = Date.now()
    const options = ['--config', this.#config, '--metrics-port', String(metricsPort)]
    await this.#node.startAgent(options, clockEnvironment(this.#clockFile))
    prefer(this.pid)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    await this.#node.stopAgent(signal)
  }

  async apply(name: string, spec: CaptureSpec): Promise<void> {
    await this.#cluster.apply(packetCapture(name, spec))
  }

  async remove(name: string): Promise<void> {
    await this.#cluster.api.kubectl('delete', 'packetcapture', name, '-n', 'shop', '--wait=false')
  }

  async claims(): Promise<ReadonlyMap<string, CaptureClaim>> {
    const none = new Map<string, CaptureClaim>()
    const asked = ['get', 'nodecapturereport', this.#node.name, '-o', 'json']
    const { code, out } = await this.#cluster.api.ask(asked, { timeoutMs: 20_000 })
    if (code !== 0) return none
    const { report } = JSON.parse(out) as { readonly report?: NodeReportStatus }
    if (!report || Date.parse(report.startedAt) < this.#startedMs) return none
    return new Map(report.captures.map(({ name, uid, file }) => [name, claimOf(uid, file)]))
  }

  tail(lines?: number): string {
    return this.#node.agent.tail(lines)
  }

  readonly interruptApiServer = (): Promise<void> => this.#cluster.api.interrupt('SIGKILL')
  readonly resumeApiServer = (): Promise<void> => this.#cluster.api.resume()

  showNamespace(pod: string, namespace: Namespace): void {
    const shown = join(this.#node.netns, `cni-${pod}`)
    symlinkSync(namespace.path, `${shown}.new`)
    renameSync(`${shown}.new`, shown)
  }

  setClock(offsetMs: number): void {
    writeClock(this.#clockFile, offsetMs)
  }
}
