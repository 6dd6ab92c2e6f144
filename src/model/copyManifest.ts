// The manifest of files that a pod copied into a PVC: their number, their total length and a
// checksum over all checksums. The pod returns it and the controller compares it. It fits into a
// pod's termination message, however many files there are. Pure.

export type CopiedFile = {
  readonly node: string
  readonly file: string
  readonly bytes: number
  readonly sha256: string
}
export type CopyManifest = {
  readonly files: number
  readonly bytes: number
  readonly sha256: string
}

/** `sha256`: of a text, hexadecimal. */
export function copyManifestOf(
  files: readonly CopiedFile[],
  sha256: (text: string) => string,
): CopyManifest {
  const lines = files.map(
    ({ node, file, bytes, sha256: sum }) => `${node}/${file} ${bytes} ${sum}\n`,
  )
  return {
    files: files.length,
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    sha256: sha256(lines.toSorted().join('')),
  }
}

export function isSameCopy(received: unknown, wanted: CopyManifest): boolean {
  const { files, bytes, sha256 } = (received ?? {}) as Partial<CopyManifest>
  return files === wanted.files && bytes === wanted.bytes && sha256 === wanted.sha256
}
