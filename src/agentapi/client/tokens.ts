// Tokens for the agents. In: a node's name. Out: a token that the API server made for that node's
// agent alone, bound to this pod and renewed before it expires. A token that leaks, for example
// from a compromised node, is useless at every other node.

import { agentAudience } from '../../auth/reviews.ts'
import { create } from '../../kube/client.ts'
import type { Kube } from '../../kube/request.ts'
import { ExpectedError } from '../../model/errors.ts'
import type { Clock } from '../../runtime/clock.ts'

export type AgentTokenDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly namespace: string
  readonly account: string
  /** The pod this runs in: the tokens expire with it. */
  readonly pod?: string
}

const lifetimeSeconds = 900
const renewBeforeMs = 600_000 // clocks differ, and a long list of files takes time
const tokenBytesMax = 65_536

export class AgentTokens {
  readonly #deps: AgentTokenDeps
  readonly #kept = new Map<string, { readonly token: Promise<string>; readonly atMs: number }>()

  constructor(deps: AgentTokenDeps) {
    this.#deps = deps
  }

  for(node: string): Promise<string> {
    const nowMs = this.#deps.clock.now()
    for (const [other, { atMs }] of this.#kept)
      if (Math.abs(nowMs - atMs) >= renewBeforeMs) this.#kept.delete(other)
    const known = this.#kept.get(node)
    if (known) return known.token
    const token = this.#request(node)
    this.#kept.set(node, { token, atMs: nowMs })
    token.catch(() => this.#kept.delete(node)) // the caller gets the error; the next call asks again
    return token
  }

  async #request(node: string): Promise<string> {
    const { kube, namespace, account, pod } = this.#deps
    const boundObjectRef =
      pod === undefined ? {} : { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod } }
    const spec = {
      audiences: [agentAudience(node)],
      expirationSeconds: lifetimeSeconds,
      ...boundObjectRef,
    }
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec }
    const answer = await create<{ readonly status: { readonly token: string } }>(
      kube,
      path,
      request,
      { bytesMax: tokenBytesMax },
    )
    if (!answer.ok)
      throw new ExpectedError(`Cannot get a token for the agent of ${node}: ${answer.message}`)
    return answer.body.status.token
  }
}
