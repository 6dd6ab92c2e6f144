// Calls back after every change below a directory, one call at a time, until a signal stops the
// process.
import { watch } from 'chokidar'
import { singleFlight } from '../runtime/singleFlight.ts'

export async function watchDirectory(directory: string, look: () => Promise<void>): Promise<void> {
  const ended = Promise.withResolvers<void>()
  const lookAgain = singleFlight(look)
  const watcher = watch(directory, { ignoreInitial: true }).on('all', () => void lookAgain().catch(ended.reject))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.resolve())
  process.stdout.on('error', () => ended.resolve()) // the reader closed the pipe
  await ended.promise.finally(() => watcher.close())
}
