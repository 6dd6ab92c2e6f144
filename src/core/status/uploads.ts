// The uploads in a status. Pure. In: previous and new results. Out: one list; whether an artifact
// is stored in every output.
import type { ArtifactStatus, FileStatus, UploadStatus } from '../../model/status.ts'

const uploadsMax = 200 // of a node; a capture may run for years

/** A new result replaces the previous one of the same file and output; the newest is last. */
export function withUploads(
  before: readonly UploadStatus[],
  now: readonly UploadStatus[],
): Pick<FileStatus, 'uploads'> {
  const isSame = (a: UploadStatus, b: UploadStatus) => a.file === b.file && a.output === b.output
  const kept = before.filter(old => !now.some(fresh => isSame(old, fresh)))
  const uploads = [...kept, ...now]
    .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
    .slice(-uploadsMax)
  return uploads.length === 0 ? {} : { uploads }
}

/** Whether each file of the artifact is stored in each of these outputs. */
export function isStored(
  { files }: ArtifactStatus,
  outputs: readonly string[],
  uploads: readonly UploadStatus[] = [],
): boolean {
  const isUp = (name: string, output: string) =>
    uploads.some(
      each => each.file === name && each.output === output && each.uploaded !== undefined,
    )
  return files.every(({ path }) => outputs.every(output => isUp(nameIn(path), output)))
}

export function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
