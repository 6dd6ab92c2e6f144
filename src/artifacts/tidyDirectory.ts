// Keeps the directory of single files in order: all but the newest are compressed, and only so many are kept, the oldest go first.
// In: the directory and how many. Out: what became of which file. A file that is being written is hidden and not among them; what
// is not named like one of ours is left alone.
import { createReadStream, existsSync, lstatSync, readdirSync } from 'node:fs'
import { rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { temporarySuffix, writeWhole } from './singleFile.ts'

/** `to` is missing: it was deleted. */
export type MovedFile = { readonly from: string; readonly to?: { readonly path: string; readonly bytes: number } }

const ownFile = /-(?<stamp>\d{8}-\d{6})\.(?:pcap|txt)(?<packed>\.gz)?$/
const leftOverMs = 3_600_000 // parts that a crash left

export async function tidyFiles(directory: string, filesMax: number, nowMs: number): Promise<MovedFile[]> {
  if (!existsSync(directory)) return []
  await removeLeftOvers(directory, nowMs)
  const [newest, ...others] = filesIn(directory)
  const kept = others.slice(0, Math.max(0, filesMax - 1))
  const moved: MovedFile[] = []
  for (const { path } of others.slice(kept.length)) {
    await rm(path, { force: true })
    moved.push({ from: path })
  }
  for (const file of kept) if (!file.isPacked) moved.push(await pack(file))
  return newest === undefined ? [] : moved
}

type FoundFile = { readonly path: string; readonly changedMs: number; readonly isPacked: boolean }

/** The newest first: by when it was complete. */
function filesIn(directory: string): FoundFile[] {
  const found = readdirSync(directory).flatMap((name): FoundFile[] => {
    const { stamp, packed } = ownFile.exec(name)?.groups ?? {}
    const path = join(directory, name)
    const status = lstatSync(path, { throwIfNoEntry: false })
    return stamp === undefined || !status?.isFile() || name.startsWith('.')
      ? []
      : [{ path, changedMs: status.mtimeMs, isPacked: packed !== undefined }]
  })
  return found.toSorted((a, b) => b.changedMs - a.changedMs || (a.path < b.path ? 1 : -1))
}

async function pack({ path, changedMs }: FoundFile): Promise<MovedFile> {
  const to = `${path}.gz`
  const source = createReadStream(path, { flags: 'r' })
  await pipeline(source, createGzip(), (chunks: AsyncIterable<Buffer>) => writeWhole(to, chunks))
  if (!existsSync(path)) {
    await rm(to, { force: true }) // its capture was deleted meanwhile
    return { from: path }
  }
  await utimes(to, changedMs / 1_000, changedMs / 1_000) // it is as old as it was
  await rm(path, { force: true })
  return { from: path, to: { path: to, bytes: (await stat(to)).size } }
}

async function removeLeftOvers(directory: string, nowMs: number): Promise<void> {
  for (const name of readdirSync(directory).filter(each => each.startsWith('.') && each.endsWith(temporarySuffix))) {
    const path = join(directory, name)
    const status = lstatSync(path, { throwIfNoEntry: false })
    if (status && nowMs - status.mtimeMs > leftOverMs) await rm(path, { force: true })
  }
}
