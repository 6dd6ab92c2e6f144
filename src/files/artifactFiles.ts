// Removes a capture's artifact when the capture is removed. In: the result that made it. Out:
// nothing; an artifact that its owner keeps stays. A symbolic link is removed, not followed.
import { rmSync } from 'node:fs'
import type { ArtifactResult } from '../model/artifact.ts'

export function removeArtifactFiles(artifact: ArtifactResult | undefined): void {
  if (artifact?.isKept) return
  for (const { path } of artifact?.files ?? [])
    for (const name of [path, `${path}.gz`]) rmSync(name, { force: true })
}
