// Where a node's report goes: a status directory (statusDirectory.ts) or a cluster.

import type { CaptureStatusElement } from './status.ts'
import type { World } from './world.ts'

export type NodeReport = {
  readonly world: World
  readonly elements: ReadonlyMap<string, CaptureStatusElement> // by capture key
  readonly nowMs: number
}

export interface Publisher {
  /** Resolves when the report stands where readers look; a report like the one before costs nothing. */
  publish(report: NodeReport): Promise<void>
}
