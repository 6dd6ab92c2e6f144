// The files of one capture as clients may read them: whole records only, while files grow, are
// rotated or removed. In: the capture's folder. Out: a list, and one open file, its length and
// identity fixed at that moment. A file keeps its identity when it is rotated; a new file under its
// old name has another.
import { createHash } from 'node:crypto'
import { constants, lstatSync, rmSync, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { CaptureFolder } from '../../files/captureFolder.ts'
import { ExpectedError } from '../../model/errors.ts'
import type { CaptureFile } from '../types.ts'

type PlacedFile = CaptureFile & { readonly path: string }

/** A file at one moment: the tag holds its identity and its length then. */
export type FileVersion = { readonly bytes: number; readonly etag: string }

const chunkBytes = 131_072
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants

/** Capture files and artifacts, without their paths. */
export function captureFiles(folder: CaptureFolder): CaptureFile[] {
  return placedFiles(folder).map(({ path: _, ...file }) => file)
}

function placedFiles(folder: CaptureFolder): PlacedFile[] {
  const captured = folder
    .files()
    .map(file => ({ ...file, path: join(folder.directory, file.name) }))
  const artifacts =
    folder.artifact?.files.map(({ path }) => ({
      name: basename(path),
      bytes: undefined,
      isActive: false,
      path,
    })) ?? []
  return [...captured, ...artifacts].flatMap(({ bytes: knownBytes, ...file }) => {
    const stats = lstatSync(file.path, { throwIfNoEntry: false })
    const bytes = knownBytes ?? stats?.size ?? 0
    return stats?.isFile() ? [{ ...file, bytes, etag: tagOf(stats, bytes) }] : []
  })
}

/** Removes an artifact of that version only. False: there is none. */
export function removeArtifactFile(
  folder: CaptureFolder,
  name: string,
  etag: string | undefined,
): boolean {
  const { artifact } = folder
  const isArtifact = artifact?.files.some(({ path }) => basename(path) === name)
  const found = placedFiles(folder).find(file => file.name === name && file.etag === etag)
  if (!artifact || !isArtifact || !found) return false
  rmSync(found.path)
  const isRemoved = artifact.files.every(({ path }) => !lstatSync(path, { throwIfNoEntry: false }))
  folder.setArtifactResult({ ...artifact, ...(isRemoved && { isRemoved }) })
  return true
}

/** A file at one moment; it stays readable after its name was removed. */
export class OpenedFile implements AsyncDisposable {
  readonly bytes: number
  readonly etag: string
  readonly #handle: FileHandle

  private constructor(handle: FileHandle, { bytes, etag }: FileVersion) {
    this.#handle = handle
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
  ): Promise<OpenedFile | undefined> {
    const files = placedFiles(folder)
    const named = files.find(file => file.name === name)
    const isSameFile = etag === undefined || (named !== undefined && isLater(named.etag, etag))
    const found = isSameFile ? named : (files.find(file => isLater(file.etag, etag)) ?? named)
    return found && OpenedFile.#open(found)
  }

  static async #open({ path, etag, bytes }: PlacedFile): Promise<OpenedFile | undefined> {
    try {
      const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
      const stats = await handle.stat()
      if (versionTagOf(stats) === versionTagIn(etag) && stats.size >= bytes)
        return new OpenedFile(handle, { bytes, etag })
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
      const { bytesRead } = await this.#handle.read(
        buffer,
        0,
        Math.min(buffer.length, end - at),
        at,
      )
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
