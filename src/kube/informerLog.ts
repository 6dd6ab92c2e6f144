// Logs once when an informer loses its watch, and once when it recovers.
import type { Logger } from '../runtime/log.ts'
import type { InformerState } from './informer.ts'

export function informerLog(
  log: Logger,
  what: string,
): (state: InformerState, detail: string) => void {
  let isWell = true
  return (state, detail) => {
    const wasWell = isWell
    isWell = state !== 'failed'
    if (wasWell && !isWell)
      log.warn({ what, detail }, 'cannot follow, tried again; the last state stays')
    if (!wasWell && isWell) log.info({ what, detail }, 'followed again')
  }
}
