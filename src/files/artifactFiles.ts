// What was made of a capture's files goes with the capture, unless it is the user's. In: what was made, as it was told. Links are taken away, not followed.
import { rmSync } from 'node:fs'
import type { ArtifactResult } from '../model/artifact.ts'

export function removeArtifactFiles(made: ArtifactResult | undefined): void {
  if (made?.isKept) return
  for (const { path } of made?.files ?? []) for (const name of [path, `${path}.gz`]) rmSync(name, { force: true })
}
