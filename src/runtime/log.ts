// The logger of a process: one JSON line for each change of state, to standard error or to a file.
// Messages are constant and values are fields; the fields `capture` and `tap` name the subject.
import { type DestinationStream, destination, type Logger, pino } from 'pino'
import { LogStream } from './logStream.ts'

export type { Logger }

/** `logLinesDropped`: lines that could not be written so far. */
export type ProcessLog = { readonly log: Logger; readonly logLinesDropped: () => number }

/** The log of a program on standard error. Waits for nobody, whatever becomes of its reader. */
export function openLog(level: string): ProcessLog {
  const stream = new LogStream(2, lines => {
    const told = { level: 'warn', time: new Date().toISOString(), lines }
    return `${JSON.stringify({ ...told, msg: 'log lines dropped, nobody took them' })}\n`
  })
  const log = makeLogger(level, stream)
  process.on('exit', () => stream.flush())
  // Node's own way of telling warnings waits for the reader of standard error.
  process
    .removeAllListeners('warning')
    .on('warning', ({ name, message }) => log.warn({ name, message }, 'warning of the runtime'))
  return { log, logLinesDropped: () => stream.dropped }
}

/** To a file, or a stream of one's own. A line in a file is written when the call returns. */
export function makeLogger(level: string, to: DestinationStream | string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    typeof to === 'string' ? destination({ dest: to, sync: true }) : to,
  )
}
