// The source of a World: a directory of manifests (manifestSource.ts) or a cluster
// (clusterSource.ts). A source reports only that something changed; the listener then takes a
// snapshot.
import type { World } from '../model/world.ts'

export interface Source extends AsyncDisposable {
  snapshot(): World
  onChange(listener: () => void): void
}
