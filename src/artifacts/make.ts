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
  if (folder === undefined) return { atMs: parts.now(), files: [], error: 'Cannot make a file of the packets: they are gone' }
  switch (job.artifact.kind) {
    case 'RetinaArchive': {
      const { makeRetinaArchive } = await import('./retinaArchive.ts')
      const { node, settings, now } = parts
      return makeRetinaArchive({ ...job, artifact: job.artifact }, { node, folder, settings: settings(), nowMs: now(), signal })
    }
    case 'SingleFile':
      return { atMs: parts.now(), files: [], error: 'Cannot make a file of the packets: this kind is not made here' }
  }
}
