// Connects to the API server as kubectl does. In: kubectl's flags for the connection. Out: a
// function that sends requests with the user's current credentials, the namespace, and who the user
// is. Refuses with CommandFailure what kubectl refuses; a 401 is asked once more where a credential
// plugin gives new credentials.
import { existsSync, readFileSync } from 'node:fs'
import type { Agent, IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { CommandFailure, ExpectedError } from '../../model/errors.ts'
import type { Kube, KubeRequest } from '../request.ts'
import { sendRequest } from '../send.ts'
import { accountFolder, serverInPod } from '../serviceAccount.ts'
import { type Chosen, type ConnectionFlags, chooseConnection } from './choose.ts'
import {
  authorizationOf,
  CredentialSource,
  type Credentials,
  impersonationOf,
} from './credentials.ts'
import { type Impersonation, impersonationHeaders } from './headers.ts'
import { kubeconfigFiles, loadKubeconfig } from './load.ts'
import type { Kubeconfig } from './parse.ts'
import { logged } from './requestLog.ts'
import { agentOf, type TlsOptions, tlsOptionsOf } from './transport.ts'

/** `token()` gives the current token; undefined for a user with a client certificate. */
export type UserAccess = {
  readonly kube: Kube
  readonly server: string
  readonly namespace: string
  readonly impersonation: Impersonation | undefined
  readonly token: () => Promise<string | undefined>
  readonly renewedToken: (refused: string) => Promise<string | undefined>
}

export async function connectUser(
  flags: ConnectionFlags,
  { verbosity = 0 } = {},
): Promise<UserAccess> {
  const config = await loadKubeconfig(flags.kubeconfig, process.env)
  const found = chooseConnection(config, flags, process.env)
  const chosen = found.isDefault && serverInPod() ? inPod(found, flags) : found
  const source = sourceOf(chosen, userNameOf(config, flags))
  const kube = kubeAs(chosen, source)
  return {
    kube: logged(chosen.isDefault ? hinting(kube) : kube, chosen.cluster.server, verbosity),
    server: chosen.cluster.server,
    namespace: chosen.namespace,
    impersonation: impersonationOf(chosen),
    token: async () => (await source.credentials()).token,
    renewedToken: async refused => {
      const now = await source.credentials()
      return now.token === refused ? (await source.renewed(now))?.token : now.token
    },
  }
}

function sourceOf(chosen: Chosen, userName: string): CredentialSource {
  try {
    return new CredentialSource(chosen, userName)
  } catch (error) {
    if (error instanceof CommandFailure || !(error instanceof ExpectedError)) throw error
    throw new CommandFailure('usage', error.message, error)
  }
}

function userNameOf(config: Kubeconfig, { user, context }: ConnectionFlags): string {
  return user || config.contexts.get(context || config.currentContext)?.user || ''
}

function kubeAs(chosen: Chosen, source: CredentialSource): Kube {
  const tls = tlsOptionsOf(chosen)
  const agents = new Map<string, Promise<Agent>>() // by client certificate: a plugin's is renewed
  const agentFor = (certificate: TlsOptions) => {
    const key = String(certificate.cert ?? '')
    const agent = agents.get(key) ?? agentOf(chosen, { ...tls, ...certificate })
    agents.set(key, agent)
    return agent
  }
  const acting = impersonationOf(chosen)
  const sendAs = async (request: KubeRequest, credentials: Credentials) => {
    const authorization = authorizationOf(credentials)
    return sendRequest(chosen.cluster.server, request, {
      ...tls,
      ...credentials.certificate,
      agent: await agentFor(credentials.certificate),
      headers: {
        ...(authorization !== undefined && { authorization }),
        ...(acting && impersonationHeaders(acting)),
      },
    })
  }
  const send = async (request: KubeRequest): Promise<IncomingMessage> => {
    const credentials = await source.credentials()
    const response = await sendAs(request, credentials)
    if (response.statusCode !== 401) return response
    const renewed = await source.renewed(credentials)
    if (!renewed) return response
    response.resume()
    return sendAs(request, renewed)
  }
  return chosen.requestTimeoutMs > 0 ? within(send, chosen.requestTimeoutMs) : send
}

/** Of --request-timeout: until the answer begins, since a stream may last for hours. */
function within(kube: Kube, timeoutMs: number): Kube {
  return async request => {
    const late = new AbortController()
    const timer = setTimeout(
      () => late.abort(new ExpectedError(`no answer within ${timeoutMs / 1_000} s`)),
      timeoutMs,
    )
    try {
      return await kube({ ...request, signal: AbortSignal.any([request.signal, late.signal]) })
    } catch (error) {
      throw late.signal.aborted && !request.signal.aborted ? late.signal.reason : error
    } finally {
      clearTimeout(timer)
    }
  }
}

function hinting(kube: Kube): Kube {
  return request =>
    kube(request).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED') throw error
      const files = kubeconfigFiles(process.env).join(', ')
      throw new ExpectedError(
        `nothing names one, and none answers at localhost:8080. Looked for a kubeconfig in ${files}; expected one there, in $KUBECONFIG or by --kubeconfig`,
        { cause: error },
      )
    })
}

/** As kubectl in a pod: the service account, unless a flag says otherwise. */
function inPod(found: Chosen, flags: ConnectionFlags): Chosen {
  const { server, tokenFile, caFile } = serverInPod() ?? {}
  if (!server || !tokenFile || !caFile) return found
  return {
    ...found,
    isDefault: false,
    cluster: { server, certificateAuthority: flags.certificateAuthority || caFile },
    user: flags.token ? { token: flags.token } : { tokenFile },
    namespace: found.hasNamespace ? found.namespace : namespaceInPod(),
  }
}

function namespaceInPod(): string {
  const file = join(accountFolder, 'namespace')
  const { POD_NAMESPACE: own } = process.env
  return own || (existsSync(file) && readFileSync(file, 'utf8').trim()) || 'default'
}

/** Names for the completion of flags. */
export async function namesIn(
  kubeconfig: string | undefined,
  what: 'contexts' | 'clusters' | 'users',
): Promise<string[]> {
  return [...(await loadKubeconfig(kubeconfig, process.env))[what].keys()]
}
