// Replaces a file by a whole new one: temporary file beside it, write, fsync, rename, fsync of the
// directory. In: a path and the content. Out: the path holds either the old content or all of the
// new one. Refuses to write through a symbolic link, and throws what the file system said after
// removing the temporary file.
import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { open, rename, rm, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export type SyncWriteOptions = {
  readonly isLasting: boolean // the new content survives a power cut, at the price of two fsync calls
  readonly mode?: number // less the umask
  readonly temporary?: string // path of the temporary file; default: temporaryOf()
}

export type WriteOptions = SyncWriteOptions & {
  readonly exactMode?: number // whatever the umask is
}

const nameBytesMax = 255 // of one file name, on every file system of Linux
const digestLength = 16
const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW
const defaultMode = 0o666

/** For content that comes in chunks, or that is written while other work goes on. */
export async function atomicWrite(
  path: string,
  content: string | AsyncIterable<Buffer>,
  { isLasting, mode = defaultMode, exactMode, temporary = temporaryOf(path) }: WriteOptions,
): Promise<void> {
  try {
    await removeLeftOver(temporary)
    await writeTemporary(temporary, content, { isLasting, mode, exactMode })
    await replaceFile(temporary, path, isLasting)
  } catch (error) {
    await removeAfter(error, temporary)
    throw error
  }
}

// Closes the file before the rename: a network file system may report a failed write only then.
async function writeTemporary(
  temporary: string,
  content: string | AsyncIterable<Buffer>,
  {
    isLasting,
    mode,
    exactMode,
  }: { readonly isLasting: boolean; readonly mode: number; readonly exactMode: number | undefined },
): Promise<void> {
  const file = await open(temporary, flags | constants.O_EXCL, exactMode ?? mode)
  try {
    if (exactMode !== undefined) await file.chmod(exactMode)
    if (typeof content === 'string') await file.writeFile(content)
    else for await (const chunk of content) await file.writeFile(chunk)
    if (isLasting) await file.sync()
  } finally {
    await file.close()
  }
}

/** A file of an earlier run: its owner, mode and other names must not become those of the new one. */
async function removeLeftOver(temporary: string): Promise<void> {
  try {
    await unlink(temporary)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

/** The last step alone, for a temporary file that its caller has written. */
export async function replaceFile(
  temporary: string,
  path: string,
  isLasting: boolean,
): Promise<void> {
  await rename(temporary, path)
  if (isLasting) await syncDirectory(dirname(path))
}

/** For the few small files that must be complete before the caller goes on. */
export function atomicWriteSync(
  path: string,
  content: string,
  { isLasting, mode = defaultMode, temporary = temporaryOf(path) }: SyncWriteOptions,
): void {
  const fd = openSync(temporary, flags | constants.O_TRUNC, mode)
  try {
    writeAndClose(fd, content, isLasting)
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  if (isLasting) syncDirectorySync(dirname(path))
}

function writeAndClose(fd: number, content: string, isLasting: boolean): void {
  try {
    writeFileSync(fd, content) // goes on after a short write, unlike writeSync()
    if (isLasting) fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes the names in a directory survive a power cut. */
export async function syncDirectory(directory: string): Promise<void> {
  try {
    await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY)
    await handle.sync()
  } catch (error) {
    if (!isUnsupported(error)) throw error
  }
}

/** Beside the path, and never longer than a name may be. */
export function temporaryOf(path: string): string {
  return join(dirname(path), fittingName(basename(path), '.tmp'))
}

/**
 * `name` with `suffix`. If that is longer than a file's name may be, the name is cut and followed
 * by its digest. `_` is in no Kubernetes name, so a cut name is never another object's.
 */
export function fittingName(name: string, suffix: string): string {
  if (Buffer.byteLength(name + suffix) <= nameBytesMax) return name + suffix
  const digest = createHash('sha256').update(name).digest('hex').slice(0, digestLength)
  const room = nameBytesMax - Buffer.byteLength(suffix) - digestLength - 1
  const cut = Buffer.from(name)
    .subarray(0, room)
    .toString()
    .replace(/\uFFFD+$/, '')
  return `${cut}_${digest}${suffix}`
}

function syncDirectorySync(directory: string): void {
  try {
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (!isUnsupported(error)) throw error
  }
}

/**
 * Some file systems have no fsync of a directory, and a directory may be writable without being
 * readable.
 */
function isUnsupported(error: unknown): boolean {
  return ['EINVAL', 'ENOTSUP', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** The first error is the one to report; a second one becomes its cause. */
async function removeAfter(error: unknown, temporary: string): Promise<void> {
  try {
    await rm(temporary, { force: true })
  } catch (second) {
    if (error instanceof Error) error.cause ??= second
  }
}
