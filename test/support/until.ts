// How long tests wait for what has to happen, and what they say when it does not: the one place
// that knows.
//   await until('the agent to listen', () => agent.isListening, { tails: [agent] })
//   const row = await untilFound('the row', () => rows.get(name))
//   await remains('no request', 500, () => asked.length === 0)
// In: what is waited for, and a question asked again and again. Out: an answer, or an Error that
// tells what was waited for, what `found` says, and the last lines of the processes involved.
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as after } from 'node:timers/promises'

const quietMs = 60_000
const tailLines = 15

/** A process whose last lines say why nothing came. */
export type Tail = { readonly name?: string; tail(lines?: number): string }

export type Waiting = {
  readonly everyMs?: number
  readonly tails?: readonly (Tail | undefined)[]
  readonly found?: () => unknown
  readonly limitMs?: () => number
}

/** A minute, and four on a machine that has four times as much to do as it can. */
export function patienceMs(): number {
  const crowd = (loadavg()[0] ?? 0) / availableParallelism()
  return quietMs * Math.min(4, Math.max(1, crowd))
}

export async function until(
  what: string,
  isSo: () => unknown,
  waiting: Waiting = {},
): Promise<void> {
  await untilFound(what, async () => (await isSo()) || undefined, waiting)
}

/** Looks until there is something, and gives it. */
export async function untilFound<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  { everyMs = 10, tails = [], found, limitMs = patienceMs }: Waiting = {},
): Promise<T> {
  const beganMs = performance.now()
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    const waitedMs = performance.now() - beganMs
    if (waitedMs > limitMs()) throw new Error(await inVain(what, waitedMs, tails, found))
    await after(everyMs)
  }
}

/** For what must not happen: asks again and again for so long, and fails at the first no. */
export async function remains(
  what: string,
  forMs: number,
  isSo: () => unknown,
  { everyMs = 50, found }: Pick<Waiting, 'everyMs' | 'found'> = {},
): Promise<void> {
  const beganMs = performance.now()
  for (;;) {
    const passedMs = performance.now() - beganMs
    if (!(await isSo())) {
      const told = found === undefined ? '' : `; found ${JSON.stringify(await found())}`
      throw new Error(
        `Expected ${what} for ${forMs} ms, not after ${Math.round(passedMs)} ms${told}`,
      )
    }
    if (passedMs >= forMs) return
    await after(everyMs)
  }
}

async function inVain(
  what: string,
  waitedMs: number,
  tails: readonly (Tail | undefined)[],
  found?: () => unknown,
): Promise<string> {
  const told = found === undefined ? '' : `; found ${JSON.stringify(await found())}`
  const lines = tails.map(
    each => each && `\n${each.name ?? 'It'} said last:\n${each.tail(tailLines)}`,
  )
  return `Waited ${Math.round(waitedMs / 1_000)} s in vain for ${what}${told}${lines.join('')}`
}
