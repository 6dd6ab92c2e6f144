// Authenticates, rate-limits and authorizes a request. In: a request. Out: the user, or whom the user
// acts as, with the capture, or a refusal with 401, 403, 404 or 429. A missing capture and a forbidden one get the
// same answer, until the user's right is confirmed.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Reviews, Right, User } from '../auth/reviews.ts'
import { apiFromPathSegment, resourceOf } from '../kube/resources.ts'
import type { GatewayRefusal } from '../model/codes.ts'
import { actingHeader, gatewayRealm } from '../model/refusalHeader.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import type { CaptureCache } from './captureCache.ts'
import { actingUser, impersonated } from './impersonation.ts'
import type { RateLimiter } from './rateLimiter.ts'
import { refuse } from './refuse.ts'
import type { AuthorizedRequest, CaptureParams } from './types.ts'

export type AuthorizeDeps = {
  readonly reviews: Reviews
  readonly group: string
  readonly cluster: Pick<CaptureCache, 'capture'>
  readonly rateLimiter: RateLimiter
  readonly metrics: { refused(reason: GatewayRefusal): void }
  readonly clock: Clock
  readonly log: Logger
}

/** The API server's service proxy consumes Authorization, so there is a second header. */
const tokenHeaders = ['authorization', 'x-selcap-authorization'] as const

type WantedRight = {
  readonly verb: 'get' | 'delete'
  readonly subresource: 'files' | 'stream'
  readonly group: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
}

/** Calls `serve` when the user has the right; else answers. */
export async function withAuthorization(
  deps: AuthorizeDeps,
  request: FastifyRequest<CaptureParams>,
  reply: FastifyReply,
  right: Pick<WantedRight, 'verb' | 'subresource'>,
  serve: (access: AuthorizedRequest) => Promise<FastifyReply>,
): Promise<FastifyReply> {
  const { reviews, group, cluster, metrics, log } = deps
  const { ns, kind = 'packetcaptures', name } = request.params
  const api = apiFromPathSegment(kind)
  if (api === undefined) return reply.code(404).send('Not found\n')
  const namespace = api === 'PacketCaptureConfig' ? '' : ns
  const sender = await userOf(request, reviews)
  if (!sender) {
    metrics.refused('Unauthorized')
    return sendUnauthorized(reply)
  }
  const wanted = actingUser(request.raw.headersDistinct)
  const about = { from: request.ip, method: request.method, namespace, name }
  const busy = admit(deps, sender, reply, { user: sender.username, ...about })
  if (busy) return busy
  const acting = wanted && ('refused' in wanted ? wanted : await impersonated(sender, wanted, reviews)) // biome-ignore format: one line
  if (acting && 'refused' in acting) {
    metrics.refused('Forbidden')
    log.info({ user: sender.username, ...about, result: 403, reason: acting.refused }, 'refused')
    return refuse(reply, 403, acting.refused)
  }
  const user = acting?.user ?? sender
  if (acting) reply.header(actingHeader, encodeURIComponent(user.username))
  const by = acting ? { by: sender.username } : {}
  const fields = { user: user.username, ...by, ...about }
  const forbidden = await forbiddenMessage(
    user,
    { ...right, ...resourceOf(api, group), namespace, name },
    reviews,
  )
  if (forbidden !== undefined) {
    metrics.refused('Forbidden')
    log.info({ ...fields, result: 403 }, 'refused')
    return reply.code(403).send(forbidden)
  }
  const capture = cluster.capture(namespace, name, api)
  if (!capture)
    return refuse(reply, 404, `Cannot find a capture "${name}" in the namespace "${namespace}"`)
  return serve({ user, ...by, capture, from: request.ip })
}

/**
 * Takes one of the user's places until the answer has ended. Returns the answer 429 where there is
 * none.
 */
function admit(
  { rateLimiter, metrics, clock, log }: AuthorizeDeps,
  { username }: User,
  reply: FastifyReply,
  fields: object,
): FastifyReply | undefined {
  const permit = rateLimiter.admit(username, clock.now())
  if ('leave' in permit) {
    if (reply.raw.destroyed) permit.leave()
    reply.raw.once('close', permit.leave)
    return undefined
  }
  metrics.refused(permit.reason)
  log.info({ ...fields, result: 429, reason: permit.reason }, 'refused')
  const text = `Too many requests of user "${username}": try again in ${permit.waitSeconds} s\n`
  return reply.code(429).header('retry-after', permit.waitSeconds).send(text)
}

async function userOf(
  { headers }: FastifyRequest<CaptureParams>,
  reviews: Reviews,
): Promise<User | undefined> {
  const tokens = tokenHeaders.map(
    name => /^Bearer (\S{1,16384})$/.exec(String(headers[name] ?? ''))?.[1],
  )
  const token = tokens.find(found => found !== undefined)
  return token === undefined ? undefined : reviews.userOf(token)
}

/** undefined: the user has the right. */
async function forbiddenMessage(
  user: User,
  { verb, subresource, group, resource, namespace, name }: WantedRight,
  reviews: Reviews,
): Promise<string | undefined> {
  const right: Right = { verb, group, resource, subresource, namespace, name }
  if (await reviews.may(user, right)) return undefined
  return `User "${user.username}" may not ${verb} ${resource}/${subresource} in group "${group}" ${namespace === '' ? 'in the cluster' : `in the namespace "${namespace}"`}\n`
}

function sendUnauthorized(reply: FastifyReply): FastifyReply {
  return refuse(
    reply.header('www-authenticate', gatewayRealm),
    401,
    'Cannot tell who is asking: expected a valid bearer token, as kubectl has it, in the header Authorization or X-Selcap-Authorization',
  )
}
