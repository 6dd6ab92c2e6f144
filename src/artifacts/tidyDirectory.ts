// Tidies the directory of single files: compresses all but the newest, and deletes the oldest
// beyond a limit. In: the directory and the limit. Out: the files that were compressed or deleted.
// Ignores hidden files that are being written, and names of other programs.
import { createReadStream } from 'node:fs'
import { lstat, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { ifThere, namesIn } from '../runtime/ifThere.ts'
import { temporarySuffix, writeWhole } from './singleFile.ts'

/** No `to`: the file was deleted. */
export type MovedFile = {
  readonly from: string
  readonly to?: { readonly path: string; readonly bytes: number }
}

const ownFile = /-(?<stamp>\d{8}-\d{6})\.(?:pcap|txt)(?<packed>\.gz)?$/
const leftOverMs = 3_600_000 // a temporary file of this age was left by a crash

export async function tidyFiles(
  directory: string,
  keptFilesMax: number,
  nowMs: number,
): Promise<MovedFile[]> {
  const names = await namesIn(directory)
  await removeLeftOvers(directory, names, nowMs)
  const [newest, ...others] = await filesIn(directory, names)
  const kept = others.slice(0, Math.max(0, keptFilesMax - 1))
  const moved: MovedFile[] = []
  for (const { path } of others.slice(kept.length)) {
    await rm(path, { force: true })
    moved.push({ from: path })
  }
  for (const file of kept) if (!file.isPacked) moved.push(await pack(file))
  return newest === undefined ? [] : moved
}

type FoundFile = { readonly path: string; readonly changedMs: number; readonly isPacked: boolean }

/** Newest first, by the time of completion. */
async function filesIn(directory: string, names: readonly string[]): Promise<FoundFile[]> {
  const found: FoundFile[] = []
  for (const name of names) {
    const { stamp, packed } = ownFile.exec(name)?.groups ?? {}
    if (stamp === undefined || name.startsWith('.')) continue
    const path = join(directory, name)
    const status = await ifThere(lstat(path))
    if (status?.isFile())
      found.push({ path, changedMs: status.mtimeMs, isPacked: packed !== undefined })
  }
  return found.toSorted((a, b) => b.changedMs - a.changedMs || (a.path < b.path ? 1 : -1))
}

async function pack({ path, changedMs }: FoundFile): Promise<MovedFile> {
  const to = `${path}.gz`
  const source = createReadStream(path, { flags: 'r' })
  await pipeline(source, createGzip(), (chunks: AsyncIterable<Buffer>) => writeWhole(to, chunks))
  if (!(await ifThere(lstat(path)))) {
    await rm(to, { force: true }) // the capture was deleted meanwhile
    return { from: path }
  }
  await utimes(to, changedMs / 1_000, changedMs / 1_000) // keeps the time of the packed file
  await rm(path, { force: true })
  return { from: path, to: { path: to, bytes: (await stat(to)).size } }
}

async function removeLeftOvers(
  directory: string,
  names: readonly string[],
  nowMs: number,
): Promise<void> {
  for (const name of names.filter(each => each.startsWith('.') && each.endsWith(temporarySuffix))) {
    const path = join(directory, name)
    const status = await ifThere(lstat(path))
    if (status && nowMs - status.mtimeMs > leftOverMs) await rm(path, { force: true })
  }
}
