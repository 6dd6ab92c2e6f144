// The process's logger: one JSON line for each change of state, to standard error or a file of the caller's.
// Messages are constant, values are fields; `capture` and `tap` name what a line is about.
import { destination, type Logger, pino } from 'pino'

export type { Logger }

/** Writes synchronously: a line is there before the process ends, and lines are rare. */
export function makeLogger(level: string, file: number | string = 2): Logger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: label => ({ level: label }) } },
    destination({ dest: file, sync: true }),
  )
}
