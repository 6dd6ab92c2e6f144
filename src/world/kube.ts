// One request to the API server, as whom login.ts says. Out: the status and the body as it arrives.
// Refuses nothing on its own: an answer is an answer.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { text } from 'node:stream/consumers'
import type { Login } from './login.ts'

export type KubeRequest = {
  readonly path: string
  readonly method?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

export type Kube = (request: KubeRequest) => Promise<IncomingMessage>

export function connectKube({ server, authorize }: Login): Kube {
  return async ({ path, method = 'GET', query = {}, headers = {}, body, signal }) => {
    const url = new URL(`${server}${path}?${new URLSearchParams(query)}`)
    const options = { method, headers: { ...headers }, signal }
    await authorize(options)
    const sent = (url.protocol === 'http:' ? httpRequest : httpsRequest)(url, options)
    sent.on('error', () => {}) // told by once(), or by the response; one that nobody listens to would end the process
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
