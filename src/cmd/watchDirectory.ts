// Calls back after every change below a directory, one call at a time, until a signal stops the
// process.
import { singleFlight } from '../runtime/singleFlight.ts'
import { watchPath } from '../runtime/watchPath.ts'

export async function watchDirectory(directory: string, sync: () => Promise<void>): Promise<void> {
  const ended = Promise.withResolvers<void>()
  const requestSync = singleFlight(sync)
  await using _ = watchPath(directory, {
    onChange: () => void requestSync().catch(ended.reject),
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.resolve())
  process.stdout.on('error', () => ended.resolve()) // the reader closed the pipe
  await ended.promise
}
