// The node's current settings. In: the environment, a directory with a file for each variable (as a
// ConfigMap is mounted), a file; the first that has a setting wins. Out: settings, and a call when
// one of them changes. A value that cannot be used is replaced by the default (readSettings.ts),
// with a warning after every change. A file that cannot be read any more changes nothing: fewer
// rotated files, for example, would delete packets.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import type { Settings } from '../model/settings.ts'
import type { Logger } from '../runtime/log.ts'
import { type ReadSettings, readSettings } from './readSettings.ts'

export class Configuration implements AsyncDisposable {
  readonly #file: string | undefined
  readonly #directory: string | undefined
  readonly #overrides: Partial<Settings>
  readonly #watchers: readonly FSWatcher[]
  #settings: Settings
  #warnings: readonly string[]
  #listener: () => void = () => {}

  /** `overrides`: what the command line says; it wins. Refuses a file that cannot be read. */
  constructor(file: string | undefined, overrides: Partial<Settings>, directory?: string) {
    this.#file = file
    this.#directory = directory
    this.#overrides = overrides
    const { settings, warnings } = this.#read()
    this.#settings = settings
    this.#warnings = warnings
    this.#watchers = [file, directory]
      .filter(path => path !== undefined)
      .map(path => this.#watch(path))
  }

  get settings(): Settings {
    return this.#settings
  }

  /** Logs what could not be used, now and after every change. */
  warnTo(log: Logger): void {
    for (const warning of this.#warnings)
      log.warn({ file: this.#file, warning }, 'setting not usable')
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#watchers.map(watcher => watcher.close()))
  }

  // A file that is truncated and then written is read when it has stood still.
  #watch(path: string): FSWatcher {
    const watcher = watch(path, {
      ignoreInitial: true,
      awaitWriteFinish: { stabilityThreshold: 200, pollInterval: 50 },
    })
    return watcher.on('all', () => this.#readAgain()).on('ready', () => this.#readAgain()) // it may have changed before
  }

  #readAgain(): void {
    const { settings, warnings, isReadable } = this.#readIfThere()
    const isNew =
      JSON.stringify(isReadable ? settings : this.#settings) !== JSON.stringify(this.#settings)
    const hasNewWarnings = JSON.stringify(warnings) !== JSON.stringify(this.#warnings)
    this.#warnings = warnings
    if (isReadable) this.#settings = settings
    if (isNew || hasNewWarnings) this.#listener()
  }

  #readIfThere(): ReadSettings {
    try {
      return this.#read()
    } catch (error) {
      return {
        settings: this.#settings,
        warnings: [`Cannot read the configuration file: ${(error as Error).message}`],
        isReadable: false,
      }
    }
  }

  #read(): ReadSettings {
    const text = this.#file === undefined ? undefined : readFileSync(this.#file, 'utf8')
    const read = readSettings({ ...variablesIn(this.#directory), ...process.env }, text)
    return { ...read, settings: { ...read.settings, ...this.#overrides } }
  }
}

function variablesIn(directory: string | undefined): Readonly<Record<string, string>> {
  if (directory === undefined) return {}
  // A key that was taken out of the ConfigMap leaves its name behind for a moment.
  const names = readdirSync(directory).filter(
    name => /^[A-Z][A-Z0-9_]*$/.test(name) && existsSync(join(directory, name)),
  )
  return Object.fromEntries(names.map(name => [name, readFileSync(join(directory, name), 'utf8')]))
}
