// Admits requests to the agent. In: a request with a bearer token. Out: nothing where it may go on,
// else the answer to give. Refuses a token that was not made for this node (401), a user who is not
// one of `users` (403), and more requests at once than `atOnce` (503). Only the health check needs
// no token.
import type { FastifyInstance } from 'fastify'
import { agentAudience, type Reviews } from '../../auth/reviews.ts'
import { retrySeconds } from '../../runtime/http.ts'
import type { Logger } from '../../runtime/log.ts'
import { agentRoutes } from '../paths.ts'

export type AdmitDeps = {
  readonly node: string
  readonly reviews: Reviews
  readonly users: readonly string[] // system:serviceaccount:…
  readonly limits: { readonly atOnce: number }
  readonly log: Logger
}

export function admitRequests(
  app: FastifyInstance,
  { node, reviews, users, limits, log }: AdmitDeps,
): void {
  const audience = agentAudience(node)
  let open = 0 // requests that are being answered

  app.addHook('onRequest', async (request, reply) => {
    if (request.url === agentRoutes.health) return
    const [, token] = /^Bearer (\S{1,16384})$/.exec(request.headers.authorization ?? '') ?? []
    if (token === undefined) return reply.code(401).send('Cannot answer: expected a bearer token\n')
    const user = await reviews.userOf(token, [audience])
    if (!user || !users.includes(user.username)) {
      log.warn(
        { from: request.ip, user: user?.username ?? 'nobody', url: request.url },
        'refused to hand over files',
      )
      return reply
        .code(user ? 403 : 401)
        .send(
          `Cannot answer: the token is not that of ${users.join(' or ')} for the audience ${audience}\n`,
        )
    }
    if (open >= limits.atOnce)
      return reply
        .code(503)
        .header('retry-after', retrySeconds)
        .send('Cannot answer: too many requests at once\n')
    open++
    reply.raw.once('close', () => open--)
  })
}
