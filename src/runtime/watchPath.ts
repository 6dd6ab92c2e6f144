// Tells when what is at a path may have changed. In: a path, and how chokidar shall watch it. Out:
// calls. Where it cannot be watched (other processes have used inotify up) it calls every few
// seconds instead, and tries to watch again; the caller hears once why. Throws nothing.
import { type ChokidarOptions, type FSWatcher, watch } from 'chokidar'

export type WatchPathOptions = {
  readonly onChange: () => void // something may have changed
  readonly onUnwatched?: (error: unknown) => void
  readonly how?: ChokidarOptions
  readonly lookMs?: number
  readonly begin?: typeof watch // for tests
}

export function watchPath(path: string, options: WatchPathOptions): AsyncDisposable {
  const { onChange, onUnwatched, how, lookMs = 5_000, begin = watch } = options
  let watcher: FSWatcher | undefined
  let again: NodeJS.Timeout | undefined
  let isTold = false
  const open = () => {
    again = undefined
    const opened = begin(path, { ignoreInitial: true, ...how })
    watcher = opened
    opened.on('all', onChange)
    opened.on('ready', onChange) // it may have changed before
    opened.on('error', error => fail(opened, error))
  }
  const fail = (failed: FSWatcher, error: unknown) => {
    if (watcher !== failed) return
    watcher = undefined
    closeFailed(failed)
    if (!isTold) onUnwatched?.(error)
    isTold = true
    again = setTimeout(() => {
      onChange()
      open()
    }, lookMs)
  }
  open()
  return {
    async [Symbol.asyncDispose]() {
      clearTimeout(again)
      await watcher?.close()
    },
  }
}

/** Its other entries may fail as well, and closing takes its listeners away. */
export function closeFailed(watcher: FSWatcher): void {
  void watcher.close()
  watcher.on('error', () => {})
}
