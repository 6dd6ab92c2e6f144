// Reads captures' specs as a node does, and compiles their filters once. In: a capture. Out: its
// intent, or a rejection.
import { readCapture } from '../api/read.ts'
import { CompiledFilters } from '../driver/compileCheck.ts'
import type { Driver } from '../driver/driver.ts'
import { type Intent, type Rejection, rejectionOf } from '../model/capture.ts'
import type { Labels } from '../model/labels.ts'
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
    const read = this.readIn(capture, new Map())
    const message = read.ok ? await this.#filters.errorOf(read) : undefined
    return message === undefined ? read : rejectionOf(read, message)
  }

  /** Filters are not compiled. */
  readIn(
    capture: CaptureDocument,
    namespaceLabels: ReadonlyMap<string, Labels>,
  ): Intent | Rejection {
    const context = { node: '', settings: this.settings(), nodeLabels: {}, namespaceLabels }
    return readCapture(capture, context)
  }

  /** Called between turns. */
  trim(): void {
    this.#filters.trim()
  }
}
