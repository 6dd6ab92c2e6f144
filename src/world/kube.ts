// One request to the API server, with the user's or the pod's own credentials, read anew each time (tokens rotate in
// their file). Out: the status and the body as it arrives. Refuses nothing on its own: an answer is an answer.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { text } from 'node:stream/consumers'
import type { KubeConfig } from '@kubernetes/client-node'

export type KubeRequest = {
  readonly path: string
  readonly method?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

export type Kube = (request: KubeRequest) => Promise<IncomingMessage>

export function connectKube(config: KubeConfig): Kube {
  return async ({ path, method = 'GET', query = {}, headers = {}, body, signal }) => {
    const server = config.getCurrentCluster()?.server
    if (server === undefined) throw new Error('Cannot reach an API server: expected a current cluster in the kubeconfig')
    const url = new URL(`${server.replace(/\/$/, '')}${path}?${new URLSearchParams(query)}`)
    const options: RequestOptions = { method, headers: { ...headers }, signal }
    await config.applyToHTTPSOptions(options)
    const sent = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, options)
    sent.end(body)
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage]
    return response
  }
}

/** The whole answer as JSON. */
export async function readJson(response: IncomingMessage): Promise<unknown> {
  return JSON.parse(await text(response))
}
