// The interface by which live streams follow the engine's turns: which taps a capture has now, and
// when that may have changed. Implemented by src/engine/engine.ts; used by src/stream.
import type { CaptureRef } from './captureRef.ts'
import type { TapSpec } from './tap.ts'

/** A capture within its window, with those of its taps that are open. */
export type OpenCapture = { readonly capture: CaptureRef; readonly specs: readonly TapSpec[] }

export interface TurnListener {
  /**
   * Before a turn opens taps. `ringBytes`: of all files' rings afterwards. The turn continues when
   * it resolves.
   */
  opening?(ringBytes: number): Promise<void>
  /** After a turn has opened and closed its taps. */
  turned?(): void
}

export interface TurnListeners {
  /** undefined: the capture does not exist, or is not open now. */
  specsOf(captureKey: string): OpenCapture | undefined
  /** Memory of all files' rings now. */
  readonly ringBytes: number
  watchTurns(listener: TurnListener): Disposable
}
