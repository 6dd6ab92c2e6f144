// Retention in the directory of single files: compresses and deletes files after each new one, and
// every minute. In: the captures of the node. Out: the directory in order, and each capture's
// artifact result updated.
import { lstat, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { ActualCapture } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import { osErrorMessage } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import type { Clock } from '../runtime/clock.ts'
import { ifThere } from '../runtime/ifThere.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import { tidyFiles } from './tidyDirectory.ts'

export type RetentionDeps = {
  readonly captures: () => Iterable<ActualCapture>
  readonly setArtifactResult: (key: string, uid: string, result: ArtifactResult) => Promise<void>
  readonly settings: () => Settings
  readonly clock: Clock
  readonly log: Logger
  readonly onChange: () => void
}

const retentionIntervalMs = 60_000

export class ArtifactRetention implements AsyncDisposable {
  readonly #deps: RetentionDeps
  readonly #stop = new AbortController()
  readonly #tidy: () => Promise<void>
  readonly #running: Promise<void>

  constructor(deps: RetentionDeps) {
    this.#deps = deps
    this.#tidy = singleFlight(() => this.#turn())
    this.#running = this.#run()
  }

  /** To be called after a file was made: the file before it is not the newest any more. */
  requestTurn(): void {
    void this.#tidy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps
    while (!this.#stop.signal.aborted) {
      await this.#tidy()
      await clock.sleepUntil(clock.now() + retentionIntervalMs, this.#stop.signal)
    }
  }

  async #turn(): Promise<void> {
    const { settings, clock, log, onChange } = this.#deps
    const { packetCapturesDir, maxCaptureFiles } = settings()
    try {
      for (const { from, to } of await tidyFiles(packetCapturesDir, maxCaptureFiles, clock.now()))
        log.info(
          { file: from, to: to?.path },
          to ? 'capture file compressed' : 'capture file deleted',
        )
      if (await this.#updateResults(packetCapturesDir)) onChange()
    } catch (error) {
      log.warn(
        { directory: packetCapturesDir, error: osErrorMessage(error) },
        'capture files not put in order, tried again',
      )
    }
  }

  /**
   * Updates the results of captures whose files were compressed or removed, by anybody. Returns
   * whether one changed.
   */
  async #updateResults(directory: string): Promise<boolean> {
    const { captures, setArtifactResult } = this.#deps
    // A directory that is away may come back, and its files with it.
    if (!(await ifThere(stat(directory)))?.isDirectory()) return false
    let isChanged = false
    for (const { key, uid, artifact: before } of [...captures()]) {
      if (!before) continue
      const files: RetainedFile[] = []
      for (const file of before.files)
        files.push(...(dirname(file.path) === directory ? await currentFile(file) : [file]))
      if (isDeepStrictEqual(files, before.files)) continue
      await setArtifactResult(key, uid, { ...before, files })
      isChanged = true
    }
    return isChanged
  }
}

type RetainedFile = ArtifactResult['files'][number]

async function currentFile(file: RetainedFile): Promise<RetainedFile[]> {
  for (const path of [file.path, `${file.path}.gz`]) {
    const found = await ifThere(lstat(path))
    if (found) return [{ path, bytes: found.size }]
  }
  return []
}
