// Writes the manifest of a copy: name, size and checksum of each copied file. In: downloaded
// files. Out: one JSON file, written last. Each file is flushed to the disk and read back before
// its checksum counts.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { type CopiedFile, copyManifestOf } from '../../model/copyManifest.ts'
import type { Downloaded } from './downloadFiles.ts'

export async function writeCopyManifest(path: string, files: readonly Downloaded[]): Promise<void> {
  const copied: CopiedFile[] = []
  for (const file of files) copied.push(await statusOfCopy(file))
  await writeFile(
    path,
    JSON.stringify(copyManifestOf(copied, text => createHash('sha256').update(text).digest('hex'))),
  )
}

async function statusOfCopy({ node, file, path }: Downloaded): Promise<CopiedFile> {
  await using handle = await open(path, 'r')
  await handle.sync()
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { node, file, bytes: (await stat(path)).size, sha256: hash.digest('hex') }
}
