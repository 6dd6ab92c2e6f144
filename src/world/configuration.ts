// The node's settings as they stand: environment and file, read again by itself when the file changes.
// A value that cannot be used gives way to the default, with a warning each time it is read. Sets no defaults (config.ts does).
import { readFileSync } from 'node:fs'
import { watch } from 'chokidar'
import { readSettings } from '../config.ts'
import type { Logger } from '../log.ts'
import type { Settings } from '../model/settings.ts'

export class Configuration implements AsyncDisposable {
  readonly #file: string | undefined
  readonly #overrides: Partial<Settings>
  readonly #watcher: { close(): Promise<void> } | undefined
  #settings: Settings
  #warnings: readonly string[]
  #listener: () => void = () => {}

  /** `overrides`: what the command line says; it wins. Refuses a file that cannot be read. */
  constructor(file: string | undefined, overrides: Partial<Settings>) {
    this.#file = file
    this.#overrides = overrides
    const { settings, warnings } = this.#read()
    this.#settings = settings
    this.#warnings = warnings
    this.#watcher =
      file === undefined ? undefined : watch(file, { ignoreInitial: true }).on('all', event => event === 'unlink' || this.#readAgain())
  }

  get settings(): Settings {
    return this.#settings
  }

  /** Logs what could not be used, now and after every change. */
  warnTo(log: Logger): void {
    for (const warning of this.#warnings) log.warn({ file: this.#file, warning }, 'setting not usable, its default holds')
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher?.close()
  }

  #readAgain(): void {
    const { settings, warnings } = this.#read()
    this.#warnings = warnings
    if (JSON.stringify(settings) === JSON.stringify(this.#settings)) return
    this.#settings = settings
    this.#listener()
  }

  #read(): { settings: Settings; warnings: readonly string[] } {
    const text = this.#file === undefined ? undefined : readFileSync(this.#file, 'utf8')
    const { settings, warnings } = readSettings(process.env, text)
    return { settings: { ...settings, ...this.#overrides }, warnings }
  }
}
