// The bearer token that authenticates a user at the gateway. In: a session, a service account or
// none. Out: the kubeconfig's token, or a short-lived one of the service account. Certificate
// users need the latter: the API server's proxy forwards no client certificate. Refuses a user
// without either.
import { CommandFailure } from '../../model/errors.ts'
import { request, type Session } from './session.ts'

const lifetimeSeconds = 3_600
const renewMs = 300_000 // before it ends

type CreatedToken = {
  readonly status: { readonly token: string; readonly expirationTimestamp: string }
}

/**
 * Returns a function that gives a valid token; called before each request, so a long download
 * renews it.
 */
export async function userToken(
  session: Session,
  serviceAccount: string | undefined,
): Promise<() => Promise<string>> {
  const token =
    serviceAccount === undefined ? () => ownToken(session) : accountToken(session, serviceAccount)
  await token() // fails early for a user without a token
  return token
}

async function ownToken({ access }: Session): Promise<string> {
  const found = await access.token()
  if (found !== undefined) return found
  throw new CommandFailure(
    'notAllowed',
    'Cannot tell the gateway who is asking: the kubeconfig holds no token, and a certificate does not reach the gateway; expected --service-account',
  )
}

function accountToken(session: Session, name: string): () => Promise<string> {
  let made: { readonly token: string; readonly endMs: number } | undefined
  return async () => {
    if (made === undefined || made.endMs - renewMs < session.nowMs()) {
      const { status } = await request<CreatedToken>(session.kube, {
        path: `/api/v1/namespaces/${session.namespace}/serviceaccounts/${encodeURIComponent(name)}/token`,
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
    return made.token
  }
}
