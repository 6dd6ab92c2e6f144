// Reads one watch of the API server. In: how to open it. Out: its events, one per line. Refuses a
// watch that is silent for too long and one that ends at once without an event. The connection is
// closed when the caller stops reading.
import type { IncomingMessage } from 'node:http'
import { createInterface } from 'node:readline'
import { ExpectedError } from '../model/errors.ts'

/** `object` of an ERROR is a Status, with a code and a message. */
export type WatchEvent = {
  readonly type: string
  readonly object: WatchedObject & { readonly code?: number; readonly message?: string }
}

type WatchedObject = {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly resourceVersion: string
  }
}

export type WatchStreamOptions = {
  readonly path: string
  readonly open: (signal: AbortSignal) => Promise<IncomingMessage>
  readonly silentMsMax: number
}

const shortWatchMs = 1_000 // a healthy watch without events lasts for minutes

export class SilentWatch extends ExpectedError {
  override readonly name: string = 'SilentWatch'
}

export async function* watchStream({
  path,
  open,
  silentMsMax,
}: WatchStreamOptions): AsyncGenerator<WatchEvent> {
  const startedMs = performance.now()
  const idle = new AbortController()
  const timer = setTimeout(() => idle.abort(), silentMsMax)
  let hasEvent = false
  try {
    const lines = createInterface({
      input: await open(idle.signal),
      crlfDelay: Number.POSITIVE_INFINITY,
    })
    lines.on('error', () => {}) // the loop throws the error; without a listener an error after the loop would end the process
    for await (const line of lines) {
      timer.refresh()
      hasEvent = true
      yield JSON.parse(line) as WatchEvent
    }
  } catch (error) {
    if (!idle.signal.aborted) throw error
    throw new SilentWatch(`Cannot watch ${path}: nothing was heard for ${silentMsMax} ms`, {
      cause: error,
    })
  } finally {
    clearTimeout(timer)
    idle.abort() // closes the connection if the caller stopped reading
  }
  if (!hasEvent && performance.now() - startedMs < shortWatchMs)
    throw new ExpectedError(`Cannot watch ${path}: it ended at once`)
}
