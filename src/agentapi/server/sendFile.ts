// One piece at a time, the next when this one has left: a reader who is slow or gone costs the agent no memory.
import type { FastifyReply } from 'fastify'
import { ExpectedError } from '../../model/errors.ts'
import type { OpenedFile } from './captureFiles.ts'

/** From `start`, up to but without `end`; closes the file. What did not all leave is broken off, so that the reader sees it. */
export async function sendSteadily(
  opened: OpenedFile,
  { start, end }: { readonly start: number; readonly end: number },
  reply: FastifyReply,
): Promise<void> {
  await using file = opened
  const { raw } = reply.hijack()
  const gone = new AbortController()
  raw.once('close', () => gone.abort())
  try {
    raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>)
    for await (const piece of file.read(start, end)) await flushed(raw, piece, gone.signal)
    raw.end()
  } catch {
    raw.destroy()
  }
}

function flushed(raw: FastifyReply['raw'], piece: Buffer, gone: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new ExpectedError('Cannot go on: the reader has gone'))
    if (gone.aborted) return stop()
    gone.addEventListener('abort', stop, { once: true })
    raw.write(piece, error => {
      gone.removeEventListener('abort', stop)
      if (error) reject(error)
      else resolve()
    })
  })
}
