// A kubectl port-forward from a local port to a Service. In: the Service. Out: the port, opened on
// the first request and again after a failure. Refuses with kubectl's message.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { ExpectedError } from '../../model/errors.ts'
import { type ClusterOptions, kubectlFlags } from '../option/cluster.ts'

export type PortForwardDeps = {
  readonly options: ClusterOptions
  readonly namespace: string
  readonly service: string
  readonly port: number
}

type OpenPortForward = { readonly child: ChildProcess; readonly port: number }

const openMs = 20_000

export class PortForward {
  readonly #deps: PortForwardDeps
  #open: OpenPortForward | undefined

  constructor(deps: PortForwardDeps) {
    this.#deps = deps
  }

  /** Refuses with kubectl's message. */
  async port(): Promise<number> {
    if (
      this.#open === undefined ||
      this.#open.child.exitCode !== null ||
      this.#open.child.signalCode !== null
    )
      this.#open = await this.#start()
    return this.#open.port
  }

  async close(): Promise<void> {
    const child = this.#open?.child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill()
    await once(child, 'exit')
  }

  async #start(): Promise<OpenPortForward> {
    const { namespace, service, port, options } = this.#deps
    const args = [
      'port-forward',
      `--namespace=${namespace}`,
      ...kubectlFlags(options),
      '--address=127.0.0.1',
      `service/${service}`,
      `:${port}`,
    ]
    const child = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill(), openMs)
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    const ended = new Promise<never>((_, reject) => {
      child.once('error', error => reject(new ExpectedError(`kubectl: ${error.message}`)))
      child.once('close', () =>
        reject(new ExpectedError(said.trim() || 'kubectl port-forward ended without a word')),
      )
    })
    try {
      return { child, port: await Promise.race([announcedPort(child), ended]) }
    } finally {
      clearTimeout(timer)
    }
  }
}

/**
 * Parses "Forwarding from 127.0.0.1:41234 -> PORT". Keeps reading the output, because a full pipe
 * would block kubectl.
 */
async function announcedPort(child: ChildProcess): Promise<number> {
  return new Promise(resolve => {
    if (!child.stdout) return
    createInterface({ input: child.stdout }).on('line', line => {
      const [, port] = /^Forwarding from 127\.0\.0\.1:(\d+) ->/.exec(line) ?? []
      if (port !== undefined) resolve(Number(port))
    })
  })
}
