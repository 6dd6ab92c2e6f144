// The logger of a process: one JSON line for each change of state, to standard error or to a file.
// Messages are constant and values are fields; the fields `capture` and `tap` name the subject.
import { destination, type Logger, pino } from 'pino'

export type { Logger }

/** Writes synchronously: a line is written before the process ends, and lines are rare. */
export function makeLogger(level: string, file: number | string = 2): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    destination({ dest: file, sync: true }),
  )
}
