// The files of one capture as clients may read them: whole records only, while files grow, are
// rotated or removed. In: the capture's folder. Out: a list, and one open file, its length and
// identity fixed at that moment. A file keeps its identity when it is rotated; a new file under its
// old name has another.
import { createHash } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, lstat, open, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { CaptureFolder } from '../../files/captureFolder.ts'
import { ExpectedError } from '../../model/errors.ts'
import { Disk } from '../../runtime/disk.ts'
import { ifThere } from '../../runtime/ifThere.ts'
import type { CaptureFile } from '../types.ts'

type PlacedFile = CaptureFile & { readonly path: string }

/** A file at one moment: the tag holds its identity and its length then. */
export type FileVersion = { readonly bytes: number; readonly etag: string }

const chunkBytes = 131_072
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants

/** What all requests together may ask of the disk at a time. */
export const readsOf = (): Disk => new Disk(4)

/** Capture files and artifacts, without their paths. */
export async function captureFiles(
  folder: CaptureFolder,
  reads = readsOf(),
): Promise<CaptureFile[]> {
  return (await placedFiles(folder, reads)).map(({ path: _, ...file }) => file)
}

async function placedFiles(folder: CaptureFolder, reads: Disk): Promise<PlacedFile[]> {
  await folder.look()
  const captured = folder
    .files()
    .map(file => ({ ...file, path: join(folder.directory, file.name) }))
  const artifacts =
    folder.artifact?.files.map(({ path }) => ({
      name: basename(path),
      bytes: 0,
      isActive: false,
      path,
    })) ?? []
  const all = [...captured, ...artifacts]
  const found = await reads.run(async () => {
    const stats: (Stats | undefined)[] = []
    for (const { path } of all) stats.push(await ifThere(lstat(path)))
    return stats
  })
  return all.flatMap(({ bytes: knownBytes, ...file }, index) => {
    const stats = found[index]
    if (!stats?.isFile()) return []
    const bytes = file.isActive ? Math.min(knownBytes, stats.size) : stats.size
    return [{ ...file, bytes, etag: tagOf(stats, bytes) }]
  })
}

/** Removes an artifact of that version only. False: there is none. */
export async function removeArtifactFile(
  folder: CaptureFolder,
  name: string,
  etag: string | undefined,
  reads = readsOf(),
): Promise<boolean> {
  const { artifact } = folder
  const isArtifact = artifact?.files.some(({ path }) => basename(path) === name)
  const placed = await placedFiles(folder, reads)
  const found = placed.find(file => file.name === name && file.etag === etag)
  if (!artifact || !isArtifact || !found) return false
  const isRemoved = await reads.run(async () => {
    await rm(found.path)
    for (const { path } of artifact.files) if (await ifThere(lstat(path))) return false
    return true
  })
  folder.setArtifactResult({ ...artifact, ...(isRemoved && { isRemoved }) })
  return true
}

/** A file at one moment; it stays readable after its name was removed. */
export class OpenedFile implements AsyncDisposable {
  readonly bytes: number
  readonly etag: string
  readonly #handle: FileHandle
  readonly #reads: Disk

  private constructor(handle: FileHandle, { bytes, etag }: FileVersion, reads: Disk) {
    this.#handle = handle
    this.#reads = reads
    this.bytes = bytes
    this.etag = etag
  }

  /**
   * By its name; by the tag, where the name now belongs to another file. undefined: there is none.
   */
  static async find(
    folder: CaptureFolder,
    name: string,
    etag?: string,
    reads = readsOf(),
  ): Promise<OpenedFile | undefined> {
    const files = await placedFiles(folder, reads)
    const named = files.find(file => file.name === name)
    const isSameFile = etag === undefined || (named !== undefined && isLater(named.etag, etag))
    const found = isSameFile ? named : (files.find(file => isLater(file.etag, etag)) ?? named)
    return found && reads.run(() => OpenedFile.#open(found, reads))
  }

  static async #open(
    { path, etag, bytes }: PlacedFile,
    reads: Disk,
  ): Promise<OpenedFile | undefined> {
    try {
      const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      const stats = await handle.stat()
      if (versionTagOf(stats) === versionTagIn(etag) && stats.size >= bytes)
        return new OpenedFile(handle, { bytes, etag }, reads)
      await handle.close() // renamed between the list and open()
      return undefined
    } catch (error) {
      if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return undefined
      throw error
    }
  }

  /** The file as it was at that tag: files only grow. undefined: the tag is of another file. */
  asOf(etag: string): FileVersion | undefined {
    return isLater(this.etag, etag) ? { bytes: bytesIn(etag), etag } : undefined
  }

  /**
   * From `start`, up to but without `end`. All chunks share one buffer: a chunk is valid until the
   * next is read.
   */
  async *read(start: number, end: number): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(chunkBytes, end - start)))
    for (let at = start; at < end; ) {
      const length = Math.min(buffer.length, end - at)
      const { bytesRead } = await this.#reads.run(() => this.#handle.read(buffer, 0, length, at))
      if (bytesRead === 0)
        throw new ExpectedError(`Cannot read the file: it ends at ${at}, expected ${end} bytes`)
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close()
  }
}

const tagForm = /^"([0-9a-f]{16})-(\d{1,15})"$/
export const versionTagIn = (etag: string): string | undefined => tagForm.exec(etag)?.[1]
const bytesIn = (etag: string): number => Number(tagForm.exec(etag)?.[2] ?? Number.NaN)
const isLater = (etag: string, than: string): boolean =>
  versionTagIn(etag) === versionTagIn(than) && bytesIn(etag) >= bytesIn(than)

function versionTagOf({ ino, birthtimeMs }: Stats): string {
  return createHash('sha256').update(`${ino} ${birthtimeMs}`).digest('hex').slice(0, 16)
}

function tagOf(stats: Stats, bytes: number): string {
  return `"${versionTagOf(stats)}-${bytes}"`
}
