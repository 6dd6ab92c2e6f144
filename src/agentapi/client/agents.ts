// Requests to the agents. In: an agent's address and its certificate's fingerprint, out of its
// node's report. Out: responses. Refuses an agent whose certificate has another fingerprint. The
// certificates are self-signed, and only the node's own agent can write its report; the token is
// sent only after the fingerprint was compared.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { Duplex } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { fingerprintOf } from '../../auth/selfSignedCertificate.ts'
import { ExpectedError } from '../../model/errors.ts'

/** Of a node's report, and whose that is. */
export type AgentAddress = {
  readonly node: string
  readonly address: string
  readonly port: number
  readonly certificateFingerprint?: string
}

export type AgentRequest = {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal: AbortSignal
  readonly isQuiet?: boolean // hours may pass without a byte, and the agent is alive
}

// An agent that sends nothing for so long, while it is read, is gone.
const defaultTimeouts = { connectMs: 8_000, quietMs: 60_000 }
type AgentTimeouts = typeof defaultTimeouts
type AgentsOptions = Partial<AgentTimeouts> & {
  /** An agent did not answer, or broke off. Not called when the caller aborts. */
  readonly onFailure?: (node: string, path: string, error: Error) => void
}
const connectionsMax = 256 // to one agent: as many as the rate limiter admits at once

export class Agents implements Disposable {
  readonly #token: (node: string) => Promise<string>
  readonly #patience: AgentTimeouts
  readonly #onFailure: NonNullable<AgentsOptions['onFailure']>
  readonly #pools = new Map<string, Agent>() // by address, port and fingerprint

  /** `token`: for the agent of that node alone. */
  constructor(
    token: (node: string) => Promise<string>,
    { onFailure = () => {}, ...patience }: AgentsOptions = {},
  ) {
    this.#token = token
    this.#onFailure = onFailure
    this.#patience = { ...defaultTimeouts, ...patience }
  }

  /** Refuses when the agent cannot be reached, or its certificate is not the report's. */
  async request(place: AgentAddress, ask: AgentRequest): Promise<IncomingMessage> {
    const failed = (error: Error) => {
      const { aborted, reason } = ask.signal
      if (!aborted || (reason as Error | undefined)?.name === 'TimeoutError')
        this.#onFailure(place.node, ask.path, error)
    }
    try {
      return (await this.#ask(place, ask)).on('error', failed)
    } catch (error) {
      failed(error as Error)
      throw error
    }
  }

  async #ask(
    place: AgentAddress,
    { method = 'GET', path, headers = {}, signal, isQuiet = false }: AgentRequest,
  ): Promise<IncomingMessage> {
    const { node, address, port, certificateFingerprint } = place
    if (!certificateFingerprint)
      throw new ExpectedError(
        `Cannot reach the agent at ${address}: its report names no certificate`,
      )
    const authorization = `Bearer ${await this.#token(node)}`
    const sent = request({
      agent: this.#poolOf(place),
      host: address,
      port,
      method,
      path,
      headers: { ...headers, authorization },
      signal,
    })
    sent.on('error', () => {}) // once() reports the first error; errors after an abort are expected and ignored
    const answered = once(sent, 'response', { signal }) as Promise<[IncomingMessage]>
    const { quietMs } = this.#patience
    let heard: IncomingMessage | undefined
    sent.once('response', response => {
      heard = response.on('error', () => {}) // the reader gets it too
    })
    sent.setTimeout(quietMs, () => {
      if (isQuiet && heard) return
      // Bytes that were not read yet: the reader is slow, not the agent.
      if (heard && heard.readableLength > 0) sent.setTimeout(quietMs)
      else
        sent.destroy(
          new ExpectedError(
            `Cannot go on with the agent at ${address}: it said nothing for ${quietMs / 1_000} s`,
          ),
        )
    })
    sent.end()
    const [response] = await answered
    return response
  }

  [Symbol.dispose](): void {
    for (const pool of this.#pools.values()) pool.destroy()
  }

  #poolOf({ address, port, certificateFingerprint = '' }: AgentAddress): Agent {
    const key = `${address} ${port} ${certificateFingerprint}`
    const known = this.#pools.get(key)
    if (known) return known
    for (const [other, pool] of this.#pools) {
      if (!other.startsWith(`${address} ${port} `)) continue
      pool.destroy() // the agent was restarted
      this.#pools.delete(other)
    }
    const made = new PinnedAgent(certificateFingerprint, this.#patience.connectMs)
    this.#pools.set(key, made)
    return made
  }
}

/** Hands out only connections whose other side has that certificate. */
class PinnedAgent extends Agent {
  readonly #fingerprint: string
  readonly #connectMs: number

  constructor(fingerprint: string, connectMs: number) {
    super({ keepAlive: true, maxFreeSockets: 4, maxSockets: connectionsMax })
    this.#fingerprint = fingerprint
    this.#connectMs = connectMs
  }

  override createConnection(
    { host, port }: { readonly host?: string | null; readonly port?: number | string | null },
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const connectMs = this.#connectMs
    const socket: TLSSocket = connect({
      host: host ?? '',
      port: Number(port),
      rejectUnauthorized: false,
      timeout: connectMs,
    })
    const end = (error: Error) => {
      socket.destroy()
      done?.(error, socket)
    }
    socket.once('error', end)
    const tooLate = () =>
      end(
        new ExpectedError(
          `Cannot reach the agent at ${host}: no answer within ${connectMs / 1_000} s`,
        ),
      )
    socket.once('timeout', tooLate)
    socket.once('secureConnect', () => {
      const seen = socket.getPeerX509Certificate()
      if (!seen || fingerprintOf(seen) !== this.#fingerprint)
        return end(
          new ExpectedError(
            `Cannot trust the agent at ${host}: its certificate is not the one in its node's report`,
          ),
        )
      socket.off('error', end).off('timeout', tooLate)
      socket.setTimeout(0)
      socket.setKeepAlive(true, 30_000) // a node that lost power closes no connection
      done?.(null, socket)
    })
  }
}
