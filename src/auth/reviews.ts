// Who is asking, and may they: the API server's word on tokens and rights, kept for a few seconds at most.
// In: a bearer token; a right. Out: a user; yes or no. A server that does not answer is thrown: nobody gets in meanwhile.
import { createHash } from 'node:crypto'
import { apiErrorMessage, type Kube, readJson } from '../kube/request.ts'
import { ExpectedError } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'

export type User = {
  readonly username: string
  readonly uid?: string
  readonly groups?: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** A right, as RBAC names it. */
export type Right = {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly subresource?: string
  readonly namespace: string
  readonly name: string
}

export type ReviewDeps = { readonly kube: Kube; readonly clock: Clock; readonly keptMs?: number }

/** What the gateway's tokens for the agent of a node are made for: another node's agent refuses them. */
export const agentAudience = (node: string): string => `selcap-agent:${node}`

/** Nobody can make the API server work harder than this by asking us. */
export class BusyError extends ExpectedError {
  override readonly name = 'BusyError'
  readonly statusCode = 503
}

const apiTimeoutMs = 10_000
const atOnceMax = 64
const entriesMax = 10_000

export class Reviews {
  readonly #parts: ReviewDeps
  readonly #kept = new Map<string, { readonly untilMs: number; readonly answer: Promise<unknown> }>()

  #asking = 0

  constructor(parts: ReviewDeps) {
    this.#parts = parts
  }

  /** undefined: the token is nobody's, has expired, or was made for somebody else. Without audiences it must be the API server's own. */
  userOf(token: string, audiences: readonly string[] = []): Promise<User | undefined> {
    const key = createHash('sha256').update(`${audiences.join()} ${token}`).digest('hex')
    return this.#once(key, async () => {
      const spec = { token, ...(audiences.length > 0 && { audiences }) }
      const { status } = await this.#post('authentication.k8s.io', 'TokenReview', 'tokenreviews', spec)
      const { authenticated = false, user, audiences: granted = [] } = status as TokenStatus
      const isMeantForUs = audiences.length === 0 || audiences.some(audience => granted.includes(audience))
      return authenticated && user?.username && isMeantForUs ? user : undefined
    })
  }

  may(user: User, { verb, group, resource, subresource = '', namespace, name }: Right): Promise<boolean> {
    const resourceAttributes = { verb, group, resource, subresource, namespace, name }
    const { username, uid = '', groups = [], extra = {} } = user
    const spec = { user: username, uid, groups, extra, resourceAttributes }
    return this.#once(JSON.stringify(spec), async () => {
      const { status } = await this.#post('authorization.k8s.io', 'SubjectAccessReview', 'subjectaccessreviews', spec)
      return (status as { readonly allowed?: boolean }).allowed === true
    })
  }

  async #post(group: string, kind: string, plural: string, spec: object): Promise<{ readonly status: unknown }> {
    if (this.#asking >= atOnceMax) throw new BusyError(`Cannot ask for a ${kind}: ${atOnceMax} questions are open`)
    this.#asking++
    try {
      return await this.#send(group, kind, plural, spec)
    } finally {
      this.#asking--
    }
  }

  async #send(group: string, kind: string, plural: string, spec: object): Promise<{ readonly status: unknown }> {
    const response = await this.#parts.kube({
      path: `/apis/${group}/v1/${plural}`,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ apiVersion: `${group}/v1`, kind, spec }),
      signal: AbortSignal.timeout(apiTimeoutMs),
    })
    if (response.statusCode === 201) return (await readJson(response)) as { readonly status: unknown }
    throw new ExpectedError(`Cannot ask for a ${kind}: the API server answered ${response.statusCode}, ${await apiErrorMessage(response)}`)
  }

  /** Asked at the same time, asked once; a failure is not kept. */
  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const { clock, keptMs = 5_000 } = this.#parts
    const nowMs = clock.now()
    const known = this.#kept.get(key)
    if (known && nowMs < known.untilMs && known.untilMs - nowMs <= keptMs) return known.answer as Promise<T>
    if (this.#kept.size >= entriesMax) this.#kept.clear()
    const answer = ask()
    this.#kept.set(key, { untilMs: nowMs + keptMs, answer })
    answer.catch(() => this.#kept.delete(key)) // the caller gets the error; the next call asks again
    return answer
  }
}

type TokenStatus = { readonly authenticated?: boolean; readonly user?: User; readonly audiences?: readonly string[] }
