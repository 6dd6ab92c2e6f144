// HTTP for servers and clients: a response body of bounded length, and the seconds of Retry-After.
import type { IncomingMessage } from 'node:http'
import { ExpectedError } from '../model/errors.ts'

export const retrySeconds = 5

/** The whole body as JSON. Refuses a longer one, because the sender is not trusted. */
export async function readBounded(response: IncomingMessage, bytesMax: number): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax)
      throw new ExpectedError(`Cannot read the answer: it is longer than ${bytesMax} bytes`) // ends the connection
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString())
}
