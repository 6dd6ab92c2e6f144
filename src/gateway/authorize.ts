// Who may have what. In: a request. Out: the user, or the answer to give instead. The same answer for what one may not see and
// for what is not there, until the right is shown.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Reviews, Right, User } from '../auth/reviews.ts'
import { refuse } from './refuse.ts'

/** The API server's service proxy keeps Authorization for itself, so there is another header. */
export const tokenHeaders = ['authorization', 'x-selcap-authorization'] as const

export type WantedRight = {
  readonly verb: 'get' | 'delete'
  readonly subresource: 'files' | 'stream'
  readonly group: string
  readonly resource: string
  readonly namespace: string
  readonly name: string
}

export async function userOf(request: FastifyRequest, reviews: Reviews): Promise<User | undefined> {
  const tokens = tokenHeaders.map(name => /^Bearer (\S{1,16384})$/.exec(String(request.headers[name] ?? ''))?.[1])
  const token = tokens.find(found => found !== undefined)
  return token === undefined ? undefined : reviews.userOf(token)
}

/** undefined: they may. */
export async function forbiddenMessage(
  user: User,
  { verb, subresource, group, resource, namespace, name }: WantedRight,
  reviews: Reviews,
): Promise<string | undefined> {
  const right: Right = { verb, group, resource, subresource, namespace, name }
  if (await reviews.may(user, right)) return undefined
  return `User "${user.username}" may not ${verb} ${resource}/${subresource} in group "${group}" ${namespace === '' ? 'in the cluster' : `in the namespace "${namespace}"`}\n`
}

export function sendUnauthorized(reply: FastifyReply): FastifyReply {
  return refuse(
    reply.header('www-authenticate', 'Bearer realm="selcap"'),
    401,
    'Cannot tell who is asking: expected a valid bearer token, as kubectl has it, in the header Authorization or X-Selcap-Authorization',
  )
}
