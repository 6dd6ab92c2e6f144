// Who asks the gateway. In: a session, a service account or none. Out: a bearer token, and whom its
// owner acts as. A token of the kubeconfig comes first. Where there is none, or the gateway does not
// know it, since a certificate or a proxy before the API server stands for the user, it is a short
// token of a service account. Refuses a user for whom there is none, and says what to do.

import type { Impersonation } from '../../kube/kubeconfig/headers.ts'
import { CommandFailure } from '../../model/errors.ts'
import { annotations } from '../../model/wellKnown.ts'
import { request, requestIfAllowed, type Session } from './session.ts'

export type Identity = { readonly token: string; readonly acting?: Impersonation | undefined }

type Source = () => Promise<Identity>
type CreatedToken = {
  readonly status: { readonly token: string; readonly expirationTimestamp: string }
}
type Account = { readonly namespace: string; readonly name: string }

const lifetimeSeconds = 3_600
const renewMs = 300_000 // before it ends

/** Gives a valid token for each request, so a long download renews it. */
export class UserIdentity {
  readonly #session: Session
  #source: Source
  #isOwn: boolean

  private constructor(session: Session, source: Source, isOwn: boolean) {
    this.#session = session
    this.#source = source
    this.#isOwn = isOwn
  }

  /** Fails early for a user without a token. */
  static async open(session: Session, serviceAccount: string | undefined): Promise<UserIdentity> {
    const { access, namespace } = session
    if (serviceAccount !== undefined) {
      const source = accountToken(session, { namespace, name: serviceAccount })
      await source()
      return new UserIdentity(session, source, false)
    }
    const token = await access.token()
    if (token === undefined)
      return new UserIdentity(session, await ownAccount(session, 'the kubeconfig holds no token'), false) // biome-ignore format: one line
    return new UserIdentity(session, () => ownToken(session, token), true)
  }

  current(): Promise<Identity> {
    return this.#source()
  }

  /** The gateway does not know the token: finds another one. Refuses where there is none. */
  async replace({ token }: Identity): Promise<boolean> {
    if (!this.#isOwn) return false
    const renewed = await this.#session.access.renewedToken(token)
    if (renewed !== undefined && renewed !== token) return true
    const why = 'the API server does not know the token of the kubeconfig, as behind a proxy that has tokens of its own' // biome-ignore format: one line
    this.#source = await ownAccount(this.#session, why)
    this.#isOwn = false
    return true
  }
}

async function ownToken({ access }: Session, first: string): Promise<Identity> {
  return { token: (await access.token()) ?? first, acting: access.impersonation }
}

/**
 * Of the service account that the API server takes the user for, or of the namespace's account that
 * is there for it.
 */
async function ownAccount(session: Session, why: string): Promise<Source> {
  const user = await userName(session)
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user ?? '') ?? []
  const own = namespace && name ? [{ namespace, name }] : await accountsForUsers(session)
  for (const account of own) {
    const source = accountToken(session, account)
    const isAllowed = await source().then(
      () => true,
      (error: unknown) => {
        if (error instanceof CommandFailure) return false
        throw error
      },
    )
    if (!isAllowed) continue
    const who = `${account.namespace}/${account.name}`
    process.stderr.write(`The gateway is asked with a token of the service account ${who}: ${why}\n`) // biome-ignore format: one line
    return source
  }
  const known = user === undefined ? '' : `; the API server knows you as "${user}", and cannot vouch for it at the gateway` // biome-ignore format: one line
  throw new CommandFailure(
    'notAllowed',
    `Cannot tell the gateway who is asking: ${why}${known}; expected --service-account with an account of namespace "${session.namespace}" that may have the files, and for which you may create serviceaccounts/token`,
  )
}

async function userName({ kube }: Session): Promise<string | undefined> {
  type Review = { readonly status?: { readonly userInfo?: { readonly username?: string } } }
  try {
    const { status } = await request<Review>(kube, {
      path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      method: 'POST',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      what: 'ask who is asking',
    })
    return status?.userInfo?.username
  } catch (error) {
    if (error instanceof CommandFailure) return undefined // an API server before 1.28, or behind a proxy
    throw error
  }
}

async function accountsForUsers({ kube, namespace }: Session): Promise<Account[]> {
  type Accounts = { readonly items: readonly { readonly metadata: { readonly name: string } }[] }
  const selector = encodeURIComponent(`${annotations.forUsers}=true`)
  const found = await requestIfAllowed<Accounts>(kube, {
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts?labelSelector=${selector}`,
    what: 'look for a service account',
  })
  return found?.items.map(({ metadata: { name } }) => ({ namespace, name })) ?? []
}

function accountToken(session: Session, { namespace, name }: Account): Source {
  let made: { readonly token: string; readonly endMs: number } | undefined
  return async () => {
    if (made === undefined || made.endMs - renewMs < session.nowMs()) {
      const { status } = await request<CreatedToken>(session.kube, {
        path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/serviceaccounts/${encodeURIComponent(name)}/token`,
        method: 'POST',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: { expirationSeconds: lifetimeSeconds },
        },
        what: `get a token of service account "${name}"`,
      })
      made = { token: status.token, endMs: Date.parse(status.expirationTimestamp) }
    }
    return { token: made.token }
  }
}
