// The types of a request to the API server, and readers of its answer. Error statuses are
// returned, not thrown; connect.ts sends.
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

export type KubeRequest = {
  readonly path: string
  readonly method?: string
  readonly query?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
  readonly mayBeSent?: () => boolean // called just before the request is sent, on an open connection
  readonly signal: AbortSignal
}

export type Kube = (request: KubeRequest) => Promise<IncomingMessage>

/** The message of the Status in an error answer, without its other fields. */
export async function apiErrorMessage(response: IncomingMessage): Promise<string> {
  const said = await text(response)
  try {
    const { message } = JSON.parse(said) as { readonly message?: string }
    return message ?? 'without a reason'
  } catch {
    return said.slice(0, 200) || 'without a reason'
  }
}

/** Parses the whole answer as JSON. */
export async function readJson(response: IncomingMessage): Promise<unknown> {
  return JSON.parse(await text(response))
}
