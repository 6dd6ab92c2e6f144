// Removes a capture's artifact when the capture is removed. In: the result that made it. Out:
// nothing; an artifact that its owner keeps stays. A symbolic link is removed, not followed.
import { rm } from 'node:fs/promises'
import type { ArtifactResult } from '../model/artifact.ts'

export async function removeArtifactFiles(artifact: ArtifactResult | undefined): Promise<void> {
  if (artifact?.isKept) return
  for (const { path } of artifact?.files ?? [])
    for (const name of [path, `${path}.gz`]) await rm(name, { force: true })
}
