// Keeps the directory of single files in order while a process runs: whenever one was made, and every minute. In: what the node
// holds. Out: tells of files that were compressed or deleted, by the capture they are of.
import { lstatSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { ActualCapture } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import { osErrorMessage } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import { tidyFiles } from './tidyDirectory.ts'

export type RetentionDeps = {
  readonly captures: () => Iterable<ActualCapture>
  readonly setArtifactResult: (key: string, uid: string, made: ArtifactResult) => void
  readonly settings: () => Settings
  readonly clock: Clock
  readonly log: Logger
  readonly onChange: () => void
}

const everyMs = 60_000

export class ArtifactRetention implements AsyncDisposable {
  readonly #parts: RetentionDeps
  readonly #stop = new AbortController()
  readonly #tidy: () => Promise<void>
  readonly #running: Promise<void>

  constructor(parts: RetentionDeps) {
    this.#parts = parts
    this.#tidy = singleFlight(() => this.#turn())
    this.#running = this.#run()
  }

  /** A file was made: the newest one before is not the newest any more. */
  requestTurn(): void {
    void this.#tidy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts
    while (!this.#stop.signal.aborted) {
      await this.#tidy()
      await clock.sleepUntil(clock.now() + everyMs, this.#stop.signal)
    }
  }

  async #turn(): Promise<void> {
    const { settings, clock, log, onChange } = this.#parts
    const { packetCapturesDir, maxCaptureFiles } = settings()
    try {
      for (const { from, to } of await tidyFiles(packetCapturesDir, maxCaptureFiles, clock.now()))
        log.info({ file: from, to: to?.path }, to ? 'capture file compressed' : 'capture file deleted')
      if (this.#follow(packetCapturesDir)) onChange()
    } catch (error) {
      log.warn({ directory: packetCapturesDir, error: osErrorMessage(error) }, 'capture files not put in order, tried again')
    }
  }

  /** What is told of each file follows what became of it, whoever did it and when. True: something was told anew. */
  #follow(directory: string): boolean {
    const { captures, setArtifactResult: made } = this.#parts
    const moved = [...captures()].flatMap(({ key, uid, artifact: before }) => {
      const files = before?.files.flatMap(file => (dirname(file.path) === directory ? nowOf(file) : file))
      return before && files && !isDeepStrictEqual(files, before.files) ? [{ key, uid, made: { ...before, files } }] : []
    })
    for (const each of moved) made(each.key, each.uid, each.made)
    return moved.length > 0
  }
}

type RetainedFile = ArtifactResult['files'][number]

function nowOf(file: RetainedFile): RetainedFile[] {
  const found = [file.path, `${file.path}.gz`].map(path => ({ path, bytes: lstatSync(path, { throwIfNoEntry: false })?.size }))
  return found.flatMap(({ path, bytes }) => (bytes === undefined ? [] : { path, bytes })).slice(0, 1)
}
