// What a status says of files that go elsewhere. Pure.
import type { ArtifactStatus, FileStatus, UploadStatus } from '../../model/status.ts'

const uploadsMax = 200 // of a node; a capture may go on for years

/** What is new replaces what was known of the same file; the newest last. */
export function withUploads(before: readonly UploadStatus[], now: readonly UploadStatus[]): Pick<FileStatus, 'uploads'> {
  const isSame = (a: UploadStatus, b: UploadStatus) => a.file === b.file && a.output === b.output
  const kept = before.filter(old => !now.some(fresh => isSame(old, fresh)))
  const uploads = [...kept, ...now].toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).slice(-uploadsMax)
  return uploads.length === 0 ? {} : { uploads }
}

/** Whether all that was made is in each of these places. */
export function isStored({ files }: ArtifactStatus, outputs: readonly string[], uploads: readonly UploadStatus[] = []): boolean {
  const isUp = (name: string, output: string) =>
    uploads.some(each => each.file === name && each.output === output && each.uploaded !== undefined)
  return files.every(({ path }) => outputs.every(output => isUp(nameIn(path), output)))
}

export function nameIn(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
