// What others may know of the engine's turns: which taps a capture has now, and when that may have changed.
// src/engine/engine.ts is it; src/stream follows captures by it.
import type { CaptureRef } from './captureRef.ts'
import type { TapSpec } from './tap.ts'

/** A capture within its window, with those of its taps that are open. */
export type OpenCapture = { readonly capture: CaptureRef; readonly specs: readonly TapSpec[] }

export interface TurnListener {
  /** A turn is about to open taps; with them the rings of all files take so many bytes. The turn goes on when it resolves. */
  opening?(ringBytes: number): Promise<void>
  /** Its taps are open and closed. */
  turned?(): void
}

export interface TurnListeners {
  /** undefined: there is no such capture, or it is not open now. */
  specsOf(captureKey: string): OpenCapture | undefined
  /** What the rings of all files take now. */
  readonly ringBytes: number
  watchTurns(listener: TurnListener): Disposable
}
