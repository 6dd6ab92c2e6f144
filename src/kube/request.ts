// What a request to the API server is, and how its answers are read. Who sends it: connect.ts. Refuses nothing on its own: an
// answer is an answer.
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

export type KubeRequest = {
  readonly path: string
  readonly method?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly mayBeSent?: () => boolean // asked in the moment in which the request leaves, when its connection stands
  readonly signal: AbortSignal
}

export type Kube = (request: KubeRequest) => Promise<IncomingMessage>

/** What the server said to a refusal, in its own words, without what its answer carries along. */
export async function apiErrorMessage(response: IncomingMessage): Promise<string> {
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
