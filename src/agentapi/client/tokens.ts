// Tokens for the agents, one for each node: made by the API server for that node's agent alone and bound to this pod.
// Whoever gets hold of one, a node's agent that is no longer itself for instance, can do nothing with it at another node.

import { agentAudience } from '../../auth/reviews.ts'
import { type Kube, refusalOf } from '../../kube/request.ts'
import type { Clock } from '../../runtime/clock.ts'
import { readBounded } from '../../runtime/http.ts'

export type AgentTokenParts = {
  readonly kube: Kube
  readonly clock: Clock
  readonly namespace: string
  readonly account: string
  /** The pod this runs in, with which the tokens end. */
  readonly pod?: string
}

const lastsSeconds = 900
const renewedMs = 600_000 // clocks differ, and a long list of files takes its time
const requestMs = 10_000

export class AgentTokens {
  readonly #parts: AgentTokenParts
  readonly #kept = new Map<string, { readonly token: Promise<string>; readonly atMs: number }>()

  constructor(parts: AgentTokenParts) {
    this.#parts = parts
  }

  for(node: string): Promise<string> {
    const nowMs = this.#parts.clock.now()
    for (const [other, { atMs }] of this.#kept) if (Math.abs(nowMs - atMs) >= renewedMs) this.#kept.delete(other)
    const known = this.#kept.get(node)
    if (known) return known.token
    const token = this.#make(node)
    this.#kept.set(node, { token, atMs: nowMs })
    token.catch(() => this.#kept.delete(node))
    return token
  }

  async #make(node: string): Promise<string> {
    const { kube, namespace, account, pod } = this.#parts
    const boundObjectRef = pod === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } }
    const spec = { audiences: [agentAudience(node)], expirationSeconds: lastsSeconds, ...boundObjectRef }
    const response = await kube({
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }),
      signal: AbortSignal.timeout(requestMs),
    })
    if (response.statusCode !== 201) throw new Error(`Cannot get a token for the agent of ${node}: ${await refusalOf(response)}`)
    return ((await readBounded(response, 65_536)) as { readonly status: { readonly token: string } }).status.token
  }
}
