// One user's connection for one command: the API server by kubectl's configuration, the namespace,
// and the group that serves captures. It also has the server's time, because a user's own clock
// may be wrong by minutes.

import { call, get } from '../../kube/client.ts'
import { ClockSkew } from '../../kube/clockSkew.ts'
import { connectUser, type UserAccess } from '../../kube/kubeconfig/connect.ts'
import type { Kube, KubeRequest } from '../../kube/request.ts'
import { listPath, objectPath } from '../../kube/resources.ts'
import type { Api } from '../../model/captureRef.ts'
import type { ExitReason } from '../../model/codes.ts'
import { CommandFailure, ExpectedError } from '../../model/errors.ts'
import { captureGroups } from '../../model/wellKnown.ts'
import { systemClock } from '../../runtime/clock.ts'
import type { ClusterOptions } from '../option/cluster.ts'

export type Session = {
  readonly kube: Kube
  readonly namespace: string
  readonly group: string // of PacketCapture
  readonly api: Api // the kind the command works on
  readonly access: UserAccess
  readonly nowMs: () => number
  readonly options: ClusterOptions
}

export type ApiRequest = Omit<KubeRequest, 'signal' | 'body'> & {
  readonly body?: object
  readonly what: string
}

const apiTimeoutMs = 30_000

export async function openSession(options: ClusterOptions): Promise<Session> {
  const access = await connectUser(options, { verbosity: options.v ?? 0 })
  const clock = new ClockSkew(systemClock)
  const watched = reaching(clock.watching(access.kube))
  const group = options.apiGroup ?? (await servedGroup(watched))
  const nowMs = () => systemClock.now() - (clock.offsetMs ?? 0)
  return {
    kube: watched,
    namespace: access.namespace,
    group,
    api: options.api ?? 'PacketCapture',
    access,
    nowMs,
    options,
  }
}

/**
 * The answer as JSON; a refusal, or an answer that breaks off, is a CommandFailure whose message
 * names `what`.
 */
export async function request<T>(
  kube: Kube,
  { what, body, headers, ...request }: ApiRequest,
): Promise<T> {
  const content = body && {
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }
  const asked = call<T>(
    kube,
    { ...request, ...(headers && { headers }), ...content },
    { timeoutMs: apiTimeoutMs },
  )
  const answer = await asked.catch(error => failWith(error, what))
  if (answer.ok) return answer.body
  throw new CommandFailure(
    reasonOf(answer.status, answer.message),
    `Cannot ${what}: ${answer.message}`,
  )
}

/** Like request(), but undefined for a missing or forbidden object. */
export async function requestIfAllowed<T>(
  kube: Kube,
  { path, what }: ApiRequest,
): Promise<T | undefined> {
  const answer = await get<T>(kube, path, { timeoutMs: apiTimeoutMs }).catch(error =>
    failWith(error, what),
  )
  return answer.ok ? answer.body : undefined
}

function failWith(error: unknown, what: string): never {
  if (error instanceof CommandFailure || !(error instanceof ExpectedError)) throw error
  throw new CommandFailure('failed', `Cannot ${what}: ${error.message}`, error)
}

export function capturesPath(
  { group, api }: Pick<Session, 'group' | 'api'>,
  namespace: string | undefined,
  name?: string,
): string {
  if (name === undefined && (namespace === undefined || api === 'PacketCaptureConfig'))
    return listPath(api, group)
  const within = api === 'PacketCaptureConfig' ? '' : encodeURIComponent(namespace ?? '')
  const path = objectPath(api, group, { namespace: within, name: encodeURIComponent(name ?? '') })
  return name === undefined ? path.slice(0, -1) : path
}

/** `message`: the server's. A quota and a namespace that is terminating are no missing right. */
export function reasonOf(status: number, message = ''): ExitReason {
  if (status === 403 && /: exceeded quota: | because it is being terminated$/.test(message))
    return 'failed'
  if (status === 401 || status === 403) return 'notAllowed'
  if (status === 404) return 'notFound'
  if (status === 409) return 'conflict'
  return status === 400 || status === 422 ? 'usage' : 'failed'
}

// Beside Calico, selcap serves the resource in its own group (daemonset/overlays/own-group).
async function servedGroup(kube: Kube): Promise<string> {
  type Resources = { readonly resources?: readonly { readonly name: string }[] }
  const own = await requestIfAllowed<Resources>(kube, {
    what: 'ask what is served',
    path: `/apis/${captureGroups.own}/v3`,
  })
  return own?.resources?.some(({ name }) => name === 'packetcaptures')
    ? captureGroups.own
    : captureGroups.calico
}

/** No answer of the API server has begun. */
export class UnreachedFailure extends CommandFailure {
  constructor(error: NodeJS.ErrnoException) {
    super('failed', `Cannot reach the API server: ${error.message || error.code}`, error)
  }
}

function reaching(kube: Kube): Kube {
  return async request => {
    try {
      return await kube(request)
    } catch (error) {
      if (
        request.signal.aborted &&
        (request.signal.reason as Error | undefined)?.name !== 'TimeoutError'
      )
        throw error
      throw new UnreachedFailure(error as NodeJS.ErrnoException)
    }
  }
}
