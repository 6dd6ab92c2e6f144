// The interface of what publishes a node's report: a status directory or the API server
// (src/publish).

import type { CaptureStatusElement } from './status.ts'
import type { World } from './world.ts'

export type NodeReport = {
  readonly world: World
  readonly elements: ReadonlyMap<string, CaptureStatusElement> // by capture key
  readonly nowMs: number
}

export interface Publisher {
  /** Resolves when the report is accepted. A report without changes costs nothing. */
  publish(report: NodeReport): Promise<void>
}
