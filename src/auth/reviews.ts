// Authentication and authorization by the API server. In: a bearer token, or a user and a right.
// Out: the user, or whether it has the right, cached for a few seconds. Throws when the API server
// does not answer: nobody is let in meanwhile.
import { createHash } from 'node:crypto'
import { create, refusalText } from '../kube/client.ts'
import type { Kube } from '../kube/request.ts'
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

/** The audience of tokens for one node's agent: every other agent refuses them. */
export const agentAudience = (node: string): string => `selcap-agent:${node}`

/** Too many reviews are open: a flood of requests must not become a flood at the API server. */
export class BusyError extends ExpectedError {
  override readonly name = 'BusyError'
  readonly statusCode = 503
}

const atOnceMax = 64
const entriesMax = 10_000

export class Reviews {
  readonly #deps: ReviewDeps
  readonly #kept = new Map<
    string,
    { readonly untilMs: number; readonly answer: Promise<unknown> }
  >()

  #open = 0

  constructor(deps: ReviewDeps) {
    this.#deps = deps
  }

  /**
   * undefined: the token is invalid, expired, or has another audience. Without audiences it must be
   * one for the API server.
   */
  userOf(token: string, audiences: readonly string[] = []): Promise<User | undefined> {
    const key = createHash('sha256').update(`${audiences.join()} ${token}`).digest('hex')
    return this.#once(key, async () => {
      const spec = { token, ...(audiences.length > 0 && { audiences }) }
      const { status } = await this.#post(
        'authentication.k8s.io',
        'TokenReview',
        'tokenreviews',
        spec,
      )
      const { authenticated = false, user, audiences: granted = [] } = status as TokenStatus
      const hasAudience =
        audiences.length === 0 || audiences.some(audience => granted.includes(audience))
      return authenticated && user?.username && hasAudience ? user : undefined
    })
  }

  may(
    user: User,
    { verb, group, resource, subresource = '', namespace, name }: Right,
  ): Promise<boolean> {
    const resourceAttributes = { verb, group, resource, subresource, namespace, name }
    const { username, uid = '', groups = [], extra = {} } = user
    const spec = { user: username, uid, groups, extra, resourceAttributes }
    return this.#once(JSON.stringify(spec), async () => {
      const { status } = await this.#post(
        'authorization.k8s.io',
        'SubjectAccessReview',
        'subjectaccessreviews',
        spec,
      )
      return (status as { readonly allowed?: boolean }).allowed === true
    })
  }

  async #post(
    group: string,
    kind: string,
    plural: string,
    spec: object,
  ): Promise<{ readonly status: unknown }> {
    if (this.#open >= atOnceMax)
      throw new BusyError(`Cannot ask for a ${kind}: ${atOnceMax} questions are open`)
    this.#open++
    try {
      return await this.#send(group, kind, plural, spec)
    } finally {
      this.#open--
    }
  }

  async #send(
    group: string,
    kind: string,
    plural: string,
    spec: object,
  ): Promise<{ readonly status: unknown }> {
    const review = { apiVersion: `${group}/v1`, kind, spec }
    const answer = await create<{ readonly status: unknown }>(
      this.#deps.kube,
      `/apis/${group}/v1/${plural}`,
      review,
    )
    if (answer.ok) return answer.body
    throw new ExpectedError(`Cannot ask for a ${kind}: ${refusalText(answer)}`)
  }

  /** One review for requests at the same time; a failure is not cached. */
  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const { clock, keptMs = 5_000 } = this.#deps
    const nowMs = clock.now()
    const known = this.#kept.get(key)
    if (known && nowMs < known.untilMs && known.untilMs - nowMs <= keptMs)
      return known.answer as Promise<T>
    if (this.#kept.size >= entriesMax) this.#kept.clear()
    const answer = ask()
    this.#kept.set(key, { untilMs: nowMs + keptMs, answer })
    answer.catch(() => this.#kept.delete(key)) // the caller gets the error; the next call asks again
    return answer
  }
}

type TokenStatus = {
  readonly authenticated?: boolean
  readonly user?: User
  readonly audiences?: readonly string[]
}
