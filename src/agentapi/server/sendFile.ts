// Sends a file chunk by chunk and reads the next chunk only after the previous one was flushed, so
// a slow client costs no memory. In: an open file and a range of it. Out: the body of the answer. A
// body that breaks off ends the connection, so that the client sees that it is not whole; why a
// file cannot be read is logged.
import type { FastifyReply } from 'fastify'
import { ExpectedError } from '../../model/errors.ts'
import type { OpenedFile } from './captureFiles.ts'

class ReaderGone extends ExpectedError {
  override readonly name = 'ReaderGone'
}

/** From `start`, up to but without `end`. Closes the file. */
export async function sendSteadily(
  opened: OpenedFile,
  { start, end }: { readonly start: number; readonly end: number },
  reply: FastifyReply,
  onFailure: (error: Error) => void,
): Promise<void> {
  await using file = opened
  const { raw } = reply.hijack()
  const gone = new AbortController()
  raw.once('close', () => gone.abort())
  try {
    raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>)
    for await (const chunk of file.read(start, end)) await flushed(raw, chunk, gone.signal)
    raw.end()
  } catch (error) {
    raw.destroy()
    if (!(error instanceof ReaderGone)) onFailure(error as Error)
  }
}

function flushed(raw: FastifyReply['raw'], chunk: Buffer, gone: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new ReaderGone('the reader has gone'))
    if (gone.aborted) return stop()
    gone.addEventListener('abort', stop, { once: true })
    raw.write(chunk, error => {
      gone.removeEventListener('abort', stop)
      if (error) reject(new ReaderGone(error.message))
      else resolve()
    })
  })
}
