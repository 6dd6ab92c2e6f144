// Tokens for the agents, one for each node: made by the API server for that node's agent alone and bound to this pod.
// Whoever gets hold of one, a node's agent that is no longer itself for instance, can do nothing with it at another node.

import { agentAudience } from '../../auth/reviews.ts'
import { apiErrorMessage, type Kube } from '../../kube/request.ts'
import { ExpectedError } from '../../model/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import { readBounded } from '../../runtime/http.ts'

export type AgentTokenDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly namespace: string
  readonly account: string
  /** The pod this runs in, with which the tokens end. */
  readonly pod?: string
}

const lifetimeSeconds = 900
const renewBeforeMs = 600_000 // clocks differ, and a long list of files takes its time
const apiTimeoutMs = 10_000

export class AgentTokens {
  readonly #parts: AgentTokenDeps
  readonly #kept = new Map<string, { readonly token: Promise<string>; readonly atMs: number }>()

  constructor(parts: AgentTokenDeps) {
    this.#parts = parts
  }

  for(node: string): Promise<string> {
    const nowMs = this.#parts.clock.now()
    for (const [other, { atMs }] of this.#kept) if (Math.abs(nowMs - atMs) >= renewBeforeMs) this.#kept.delete(other)
    const known = this.#kept.get(node)
    if (known) return known.token
    const token = this.#make(node)
    this.#kept.set(node, { token, atMs: nowMs })
    token.catch(() => this.#kept.delete(node)) // the caller gets the error; the next call asks again
    return token
  }

  async #make(node: string): Promise<string> {
    const { kube, namespace, account, pod } = this.#parts
    const boundObjectRef = pod === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } }
    const spec = { audiences: [agentAudience(node)], expirationSeconds: lifetimeSeconds, ...boundObjectRef }
    const response = await kube({
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }),
      signal: AbortSignal.timeout(apiTimeoutMs),
    })
    if (response.statusCode !== 201)
      throw new ExpectedError(`Cannot get a token for the agent of ${node}: ${await apiErrorMessage(response)}`)
    return ((await readBounded(response, 65_536)) as { readonly status: { readonly token: string } }).status.token
  }
}
