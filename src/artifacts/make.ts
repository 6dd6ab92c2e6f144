// Makes the artifact of a finished capture. In: the job. Out: the result, which also says what
// failed. Each kind of artifact has its maker, loaded when it is needed.
import type { ArtifactResult } from '../model/artifact.ts'
import type { ArtifactJob } from '../model/decision.ts'
import type { Settings } from '../model/settings.ts'
import type { LinePrinter } from './text/stdoutWriter.ts'

export type MakerDeps = {
  readonly node: string
  readonly settings: () => Settings
  readonly now: () => number
  readonly folderOf: (key: string, uid: string) => string | undefined // of the capture's files
  readonly print: LinePrinter // to the log
}

export async function makeArtifact(
  job: ArtifactJob,
  deps: MakerDeps,
  signal: AbortSignal,
): Promise<ArtifactResult> {
  const folder = deps.folderOf(job.key, job.capture.uid)
  if (folder === undefined)
    return {
      atMs: deps.now(),
      files: [],
      error: 'Cannot make a file of the packets: they are gone',
    }
  switch (job.artifact.kind) {
    case 'RetinaArchive': {
      const { makeRetinaArchive } = await import('./retina/archive.ts')
      const { node, settings, now } = deps
      return makeRetinaArchive(
        { ...job, artifact: job.artifact },
        { node, folder, settings: settings(), nowMs: now(), signal },
      )
    }
    case 'SingleFile': {
      const { makeSingleFile } = await import('./singleFile.ts')
      return makeSingleFile(job, job.artifact, {
        folder,
        print: deps.print,
        nowMs: deps.now(),
        signal,
      })
    }
  }
}
