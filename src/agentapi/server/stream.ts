// The live stream of a capture on this node. In: the capture's key and uid. Out: pcapng until the
// capture is over or the reader goes. Refuses a capture that is not open (409), and more streams
// than the node gives at once (429).
import type { FastifyInstance } from 'fastify'
import { StreamError } from '../../model/errors.ts'
import type { NodeStream } from '../../stream/nodeStream.ts'
import { agentRoutes, keyOf } from '../paths.ts'

export type StreamRouteDeps = {
  /** Refuses with StreamError. */
  readonly openStream: (key: string, uid: string) => NodeStream
}

type StreamParams = {
  readonly Params: { readonly namespace: string; readonly name: string; readonly uid: string }
}

export function serveStream(app: FastifyInstance, { openStream }: StreamRouteDeps): void {
  app.get<StreamParams>(agentRoutes.stream, async ({ params, raw }, reply) => {
    try {
      const { stream } = openStream(keyOf(params), params.uid)
      raw.socket.setTimeout(0) // hours may pass without a packet
      return reply.type('application/x-pcapng').send(stream)
    } catch (error) {
      if (!(error instanceof StreamError)) throw error
      return reply.code(error.reason === 'TooMany' ? 429 : 409).send(`${error.message}\n`)
    }
  })
}
