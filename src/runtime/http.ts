// What the servers and their clients have in common: answers that must not fill the memory, and when to come again.
import type { IncomingMessage } from 'node:http'
import { ExpectedError } from '../model/errors.ts'

export const retrySeconds = 5

/** The whole answer as JSON. Refuses one that is longer: whoever sends it may be anybody. */
export async function readBounded(response: IncomingMessage, bytesMax: number): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw new ExpectedError(`Cannot read the answer: it is longer than ${bytesMax} bytes`) // ends the connection
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString())
}
