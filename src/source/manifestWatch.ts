// Tells when the manifests of a directory may have changed. In: the directory, by inotify (chokidar:
// atomic replacement, symbolic links, ConfigMaps) and by a look at its entries every few seconds,
// because an event may be lost and other processes may have used inotify up. Out: a call. Logs once
// that only the looks are left, tries to watch again, and logs when that works.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import { isExpected, osErrorMessage } from '../model/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { closeFailed } from '../runtime/watchPath.ts'
import { isManifestName } from './manifestFiles.ts'

export type ManifestWatchDeps = {
  readonly directory: string
  readonly clock: Clock
  readonly log: Pick<Logger, 'warn' | 'info'>
  readonly watchDirectory?: typeof watch // for tests
}

const lookMs = 3_000
const watchAgainMs = 30_000
const settledMs = 1_000 // two writes in one tick of the file system's clock look the same

export class ManifestWatch implements AsyncDisposable {
  readonly #deps: ManifestWatchDeps
  readonly #onChange: () => void
  readonly #stop = new AbortController()
  #watcher: FSWatcher | undefined
  #hasFailed = false
  #watchAtMs = 0 // when to try again
  #seen: string | undefined // undefined: the next look finds a change

  private constructor(deps: ManifestWatchDeps, onChange: () => void) {
    this.#deps = deps
    this.#onChange = onChange
  }

  /** Resolves once it watches, or knows that it cannot. */
  static async open(deps: ManifestWatchDeps, onChange: () => void): Promise<ManifestWatch> {
    const opened = new ManifestWatch(deps, onChange)
    opened.#seen = await entriesOf(deps.directory)
    await opened.#watch()
    void opened.#lookByTime()
    return opened
  }

  /** Waits for no look that is under way: its disk may not answer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#watcher?.close()
  }

  async #watch(): Promise<void> {
    const { directory, log, watchDirectory = watch } = this.#deps
    const watcher = watchDirectory(directory, { ignoreInitial: true, depth: 1 })
    this.#watcher = watcher
    const begun = Promise.withResolvers<void>()
    watcher.on('error', error => {
      begun.resolve()
      this.#fail(watcher, error)
    })
    watcher.once('ready', () => begun.resolve())
    watcher.on('all', () => this.#onChange())
    await begun.promise
    if (this.#watcher !== watcher || !this.#hasFailed) return
    this.#hasFailed = false
    log.info({ directory }, 'manifests watched again')
  }

  // Its descriptors are of use to others while it cannot watch.
  #fail(watcher: FSWatcher, error: unknown): void {
    if (this.#watcher !== watcher) return
    const { directory, clock, log } = this.#deps
    this.#watcher = undefined
    this.#watchAtMs = clock.now() + watchAgainMs
    closeFailed(watcher)
    if (!this.#hasFailed)
      log.warn(
        { directory, reason: osErrorMessage(error) },
        `manifests not watched: looked at every ${lookMs / 1_000} s, watching tried again`,
      )
    this.#hasFailed = true
  }

  async #lookByTime(): Promise<void> {
    const { clock, directory } = this.#deps
    const { signal } = this.#stop
    for (;;) {
      await clock.sleepUntil(clock.now() + lookMs, signal)
      if (signal.aborted) return
      const isDue = clock.now() >= this.#watchAtMs || clock.now() < this.#watchAtMs - watchAgainMs
      if (!this.#watcher && isDue) await this.#watch()
      if (signal.aborted) return
      const now = await entriesOf(directory)
      if (signal.aborted) return
      if (now === undefined || now !== this.#seen) this.#onChange()
      this.#seen = now
    }
  }
}

/** A text that changes with the manifests. undefined: not readable, or written to just now. */
async function entriesOf(directory: string): Promise<string | undefined> {
  try {
    const names = (await readdir(directory)).filter(isManifestName).toSorted()
    const entries = await Promise.all(names.map(name => entryOf(join(directory, name))))
    const isSettled = entries.every(({ changedAtMs }) => Date.now() - changedAtMs >= settledMs)
    return isSettled
      ? names.map((name, index) => `${name} ${entries[index]?.text}`).join('\n')
      : undefined
  } catch (error) {
    if (!isExpected(error)) throw error
    return undefined // the read that follows says why
  }
}

async function entryOf(
  path: string,
): Promise<{ readonly text: string; readonly changedAtMs: number }> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return {
      text: [dev, ino, size, mtimeNs, ctimeNs].join(' '),
      changedAtMs: Number(ctimeNs / 1_000_000n),
    }
  } catch (error) {
    return { text: osErrorMessage(error), changedAtMs: 0 } // it went meanwhile, or is a dangling link
  }
}
