// The node's current settings. In: the environment, a directory with a file for each variable (as a
// ConfigMap is mounted), a file; the first that has a setting wins. Out: settings, and a call when
// one of them changes. A value that cannot be used is replaced by the default (readSettings.ts),
// with a warning after every change. A file that cannot be read any more changes nothing: fewer
// rotated files, for example, would delete packets.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { osErrorMessage } from '../model/errors.ts'
import type { Settings } from '../model/settings.ts'
import { ifThere } from '../runtime/ifThere.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import { watchPath } from '../runtime/watchPath.ts'
import { type ReadSettings, readSettings } from './readSettings.ts'

/** `overrides`: what the command line says; it wins. `directory`: of a ConfigMap. */
type SettingsPlaces = {
  readonly file: string | undefined
  readonly directory?: string | undefined
  readonly overrides: Partial<Settings>
}

export class Configuration implements AsyncDisposable {
  readonly #places: SettingsPlaces
  readonly #watchers: readonly AsyncDisposable[]
  #unwatched: string | undefined // why a place is looked at by time alone
  readonly #readAgain = singleFlight(() => this.#take())
  #settings: Settings
  #warnings: readonly string[]
  #listener: () => void = () => {}

  private constructor(places: SettingsPlaces, { settings, warnings }: ReadSettings) {
    this.#places = places
    this.#settings = settings
    this.#warnings = warnings
    this.#watchers = [places.file, places.directory]
      .filter(path => path !== undefined)
      .map(path => this.#watch(path))
  }

  /** Refuses a file that cannot be read. */
  static async open(places: SettingsPlaces): Promise<Configuration> {
    return new Configuration(places, await readPlaces(places))
  }

  get settings(): Settings {
    return this.#settings
  }

  /** Logs what could not be used, now and after every change. */
  warnTo(log: Logger): void {
    const unwatched = this.#unwatched === undefined ? [] : [this.#unwatched]
    for (const warning of [...this.#warnings, ...unwatched])
      log.warn({ file: this.#places.file, warning }, 'setting not usable')
  }

  onChange(listener: () => void): void {
    this.#listener = listener
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#watchers.map(watcher => watcher[Symbol.asyncDispose]()))
  }

  // A file that is truncated and then written is read when it has stood still.
  #watch(path: string): AsyncDisposable {
    return watchPath(path, {
      how: { awaitWriteFinish: { stabilityThreshold: 200, pollInterval: 50 } },
      onChange: () => void this.#readAgain(),
      onUnwatched: error => {
        this.#unwatched = `Cannot watch "${path}": ${osErrorMessage(error)}; it is looked at every few seconds`
        this.#listener()
      },
    })
  }

  async #take(): Promise<void> {
    const { settings, warnings, isReadable } = await this.#readIfThere()
    const isNew =
      JSON.stringify(isReadable ? settings : this.#settings) !== JSON.stringify(this.#settings)
    const hasNewWarnings = JSON.stringify(warnings) !== JSON.stringify(this.#warnings)
    this.#warnings = warnings
    if (isReadable) this.#settings = settings
    if (isNew || hasNewWarnings) this.#listener()
  }

  async #readIfThere(): Promise<ReadSettings> {
    try {
      return await readPlaces(this.#places)
    } catch (error) {
      return {
        settings: this.#settings,
        warnings: [`Cannot read the configuration file: ${(error as Error).message}`],
        isReadable: false,
      }
    }
  }
}

async function readPlaces({ file, directory, overrides }: SettingsPlaces): Promise<ReadSettings> {
  const text = file === undefined ? undefined : await readFile(file, 'utf8')
  const variables = directory === undefined ? {} : await variablesIn(directory)
  const read = readSettings({ ...variables, ...process.env }, text)
  return { ...read, settings: { ...read.settings, ...overrides } }
}

async function variablesIn(directory: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(directory)).filter(name => /^[A-Z][A-Z0-9_]*$/.test(name))
  const found: Record<string, string> = {}
  for (const name of names) {
    const text = await ifThere(readFile(join(directory, name), 'utf8'))
    if (text !== undefined) found[name] = text // a key that was taken out leaves its name for a moment
  }
  return found
}
