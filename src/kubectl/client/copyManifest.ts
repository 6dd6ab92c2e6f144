// Tells whoever asked for files to be copied what lies there now. In: files that were downloaded. Out: a small file, written last.
// Each is read back from where it lies, after the system was told to put it on the disk.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, stat, writeFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { type CopiedFile, copyManifestOf } from '../../model/copyManifest.ts'
import type { Downloaded } from '../command/download.ts'

export async function writeCopyManifest(path: string, files: readonly Downloaded[]): Promise<void> {
  const found: CopiedFile[] = []
  for (const file of files) found.push(await statusOfCopy(file))
  await writeFile(path, JSON.stringify(copyManifestOf(found, text => createHash('sha256').update(text).digest('hex'))))
}

async function statusOfCopy({ node, file, path }: Downloaded): Promise<CopiedFile> {
  await using handle = await open(path, 'r')
  await handle.sync()
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { node, file, bytes: (await stat(path)).size, sha256: hash.digest('hex') }
}
