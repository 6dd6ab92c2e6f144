// Reads captures' specs as a node does, and compiles their filters once. In: a capture. Out: its
// intent, or a rejection.
import { readCapture } from '../api/read.ts'
import { CompiledFilters } from '../driver/compileCheck.ts'
import type { Driver } from '../driver/driver.ts'
import { type Intent, type Rejection, rejectionOf } from '../model/capture.ts'
import { defaultSettings, type Settings } from '../model/settings.ts'
import type { CaptureDocument } from '../model/world.ts'

type SpecCacheDeps = { readonly settings?: () => Settings; readonly compile: Driver['compile'] }

export class SpecCache {
  readonly settings: () => Settings
  readonly #filters: CompiledFilters

  constructor({ settings = () => defaultSettings, compile }: SpecCacheDeps) {
    this.settings = settings
    this.#filters = new CompiledFilters(compile)
  }

  async read(capture: CaptureDocument): Promise<Intent | Rejection> {
    const read = readCapture(capture, {
      node: '',
      settings: this.settings(),
      nodeLabels: {},
      namespaceLabels: new Map(),
    })
    const message = read.ok ? await this.#filters.errorOf(read) : undefined
    return message === undefined ? read : rejectionOf(read, message)
  }

  /** Called between turns. */
  trim(): void {
    this.#filters.trim()
  }
}
