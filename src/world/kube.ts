// One request to the API server, with the user's or the pod's own credentials, read anew each time (tokens rotate in
// their file). Out: the status and the body as it arrives. Refuses nothing on its own: an answer is an answer.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { text } from 'node:stream/consumers'
import { KubeConfig } from '@kubernetes/client-node'
import { UsageError } from '../errors.ts'

export type KubeRequest = {
  readonly path: string
  readonly method?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

export type Kube = (request: KubeRequest) => Promise<IncomingMessage>

/** From a file; else from the pod's service account, $KUBECONFIG or the home directory. Refuses with UsageError. */
export function loadKubeConfig(file: string | undefined): KubeConfig {
  const config = new KubeConfig()
  try {
    if (file === undefined) config.loadFromDefault()
    else config.loadFromFile(file)
    return config
  } catch (error) {
    throw new UsageError(`Cannot use the kubeconfig${file === undefined ? '' : ` "${file}"`}: ${(error as Error).message}`)
  }
}

export function connectKube(config: KubeConfig): Kube {
  return async ({ path, method = 'GET', query = {}, headers = {}, body, signal }) => {
    const server = config.getCurrentCluster()?.server
    if (server === undefined) throw new Error('Cannot reach an API server: expected a current cluster in the kubeconfig')
    const url = new URL(`${server.replace(/\/$/, '')}${path}?${new URLSearchParams(query)}`)
    // Node gives a DELETE's body no length by itself, and the server would not read it.
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const options: RequestOptions = { method, headers: { ...headers, ...length }, signal }
    await config.applyToHTTPSOptions(options)
    const sent = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, options)
    sent.end(body)
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage]
    return response
  }
}

/** What the server said to a refusal, in its own words, without what its answer carries along. */
export async function refusalOf(response: IncomingMessage): Promise<string> {
  const said = await text(response)
  try {
    const { message } = JSON.parse(said) as { readonly message?: string }
    return message ?? 'without a reason'
  } catch {
    return said.slice(0, 200) || 'without a reason'
  }
}

/** The whole answer as JSON. */
export async function readJson(response: IncomingMessage): Promise<unknown> {
  return JSON.parse(await text(response))
}
