// Makes what a finished capture wants made of its files: each kind of artifact has its maker, loaded when one is wanted.
import type { ArtifactJob, Made } from '../model/artifact.ts'
import type { Settings } from '../model/settings.ts'

export type MakerParts = {
  readonly node: string
  readonly settings: () => Settings
  readonly now: () => number
  readonly folderOf: (key: string, uid: string) => string | undefined // of the capture's files
}

export async function makeArtifact(job: ArtifactJob, parts: MakerParts, signal: AbortSignal): Promise<Made> {
  const folder = parts.folderOf(job.key, job.capture.uid)
  const place = { node: parts.node, settings: parts.settings(), nowMs: parts.now(), signal }
  if (folder === undefined) return { atMs: place.nowMs, files: [], error: 'Cannot make an archive: the files are gone' }
  const { makeRetinaArchive } = await import('./retinaArchive.ts')
  return makeRetinaArchive(job, { ...place, folder })
}
