// Follows a live stream over broken connections. In: a function that opens the stream. Out: its
// bytes, until the capture is over. A connection that breaks off, or in which nothing comes though
// the gateway promised it, is made again; what was missed is told, and noted in the stream. Refuses
// with CommandFailure when the stream cannot be taken up again within the given time.
import type { IncomingMessage } from 'node:http'
import { CommandFailure, ExpectedError, isExpected } from '../../model/errors.ts'
import { streamAlive } from '../../model/wellKnown.ts'
import type { Clock } from '../../runtime/clock.ts'
import { JoinedStream } from './joinedStream.ts'

/** `refused`: waiting does not change it. */
export type Reopened =
  | { readonly response: IncomingMessage }
  | { readonly isOver: true }
  | { readonly refused: CommandFailure }

export type FollowDeps = {
  /** Opens it once more. Throws ExpectedError where that may work later. */
  readonly open: () => Promise<Reopened>
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly reconnectForMs: number // without content; 0: not at all
  readonly say: (line: string) => void
}

const delaysMs = [1_000, 2_000, 4_000] as const // the last one again and again
const silences = 3 // blocks that may be missing

export async function* followStream(
  first: IncomingMessage,
  deps: FollowDeps,
): AsyncGenerator<Buffer> {
  const { clock, signal, say } = deps
  const joined = new JoinedStream()
  let heardMs = clock.now()
  let contentMs = heardMs
  for (let response: IncomingMessage | undefined = first; response; ) {
    const broken: { reason?: string } = {}
    for await (const chunk of chunksOf(response, broken)) {
      const { bytes, problem } = joined.add(chunk)
      if (problem !== undefined) {
        response.destroy()
        refuse(`found ${problem}`)
      }
      heardMs = clock.now()
      if (joined.hasContent) contentMs = heardMs
      if (bytes.length > 0) yield bytes
    }
    if (signal.aborted || broken.reason === undefined) return
    response = await openAgain(deps, broken.reason, contentMs)
    const missing = `packets from ${timeOf(heardMs)} to ${timeOf(clock.now())} are missing`
    say(`The stream broke off (${broken.reason}): ${missing}`)
    joined.begin(missing)
  }
}

/** Until the connection ends; `broken` then has the reason, if it is not the stream's end. */
async function* chunksOf(
  response: IncomingMessage,
  broken: { reason?: string },
): AsyncGenerator<Buffer> {
  const aliveMs = 1_000 * (Number(response.headers[streamAlive.header]) || 0)
  const late = () =>
    response.destroy(new ExpectedError(`nothing came for ${(silences * aliveMs) / 1_000} s`))
  const timer = aliveMs > 0 ? setTimeout(late, silences * aliveMs) : undefined
  try {
    for await (const chunk of response) {
      timer?.refresh()
      yield chunk as Buffer
      timer?.refresh() // the reader took its time
    }
  } catch (error) {
    if (!isExpected(error) && (error as NodeJS.ErrnoException).code === undefined) throw error
    broken.reason = (error as Error).message
  } finally {
    clearTimeout(timer)
  }
}

async function openAgain(
  { open, clock, signal, reconnectForMs }: FollowDeps,
  broken: string,
  sinceMs: number,
): Promise<IncomingMessage | undefined> {
  let reason = broken
  for (let tries = 0; clock.now() - sinceMs < reconnectForMs; tries++) {
    await clock.sleepUntil(clock.now() + (delaysMs[tries] ?? 4_000), signal)
    if (signal.aborted) return undefined
    const opened = await open().catch((error: unknown) => {
      if (!isExpected(error)) throw error
      return { later: error.message }
    })
    if ('response' in opened) return opened.response
    if ('isOver' in opened) return undefined
    if ('refused' in opened) refuse(opened.refused.message)
    reason = opened.later
  }
  refuse(reason)
}

function refuse(reason: string): never {
  throw new CommandFailure('incomplete', `Cannot stream any longer: ${reason}`)
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
