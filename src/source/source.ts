// Where a World comes from: a directory of manifests (manifests.ts) or a cluster.
// A source tells that something changed, never what: whoever listens takes the next snapshot.
import type { World } from '../model/world.ts'

export interface Source extends AsyncDisposable {
  snapshot(): World
  onChange(listener: () => void): void
}
