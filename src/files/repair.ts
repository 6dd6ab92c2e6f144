// Repairs a capture's directory after a crash. In: the directory and names of files. Out: each file
// without its torn last record, and how much it holds. Waiting files get their final name or are
// removed. Leaves files alone that selcap did not write, and follows no symbolic link.
import { constants, readdirSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Scan, scanFile } from '../pcap/scan.ts'
import { awaitedName, isCaptureFile, isWaiting, rotatedName } from './names.ts'

export type Repaired = { readonly name: string; readonly bytes: number; readonly scan: Scan }

/**
 * A waiting file with packets had become the active one before its name followed: it gets that
 * name, and the active file before it is rotated. A waiting file without packets was never used: it
 * is removed.
 */
export async function adoptWaitingFiles(directory: string): Promise<void> {
  for (const name of readdirSync(directory)
    .filter(isWaiting)
    .toSorted((a, b) => numberOf(a) - numberOf(b))) {
    const found = await repairFile(directory, name)
    const isUnused = !found || found.scan.records === 0
    whereWritable(() =>
      isUnused ? unlinkSync(join(directory, name)) : promote(directory, name, awaitedName(name)),
    )
  }
}

function promote(directory: string, waiting: string, active: string): void {
  const before = statSync(join(directory, active), { throwIfNoEntry: false })
  if (before)
    renameSync(
      join(directory, active),
      join(directory, rotatedName(active, before.mtimeMs, readdirSync(directory))),
    )
  renameSync(join(directory, waiting), join(directory, active))
}

function numberOf(waiting: string): number {
  return Number(/\d+$/.exec(waiting)?.[0])
}

/** Files that selcap did not write, or that are gone, are not among the results. */
export async function repairFiles(
  directory: string,
  names: readonly string[],
): Promise<readonly Repaired[]> {
  const results = await Promise.all(
    names.filter(isCaptureFile).map(name => repairFile(directory, name)),
  )
  return results.filter(result => result !== undefined)
}

async function repairFile(directory: string, name: string): Promise<Repaired | undefined> {
  try {
    await using file = await openToRepair(join(directory, name))
    const scan = await scanFile(file.handle)
    const { size } = await file.handle.stat()
    if (scan && scan.wholeBytes < size && file.isWritable)
      await file.handle.truncate(scan.wholeBytes)
    return scan && { name, bytes: scan.wholeBytes, scan }
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** A file on a read-only file system is read as it is. */
async function openToRepair(
  path: string,
): Promise<AsyncDisposable & { readonly handle: FileHandle; readonly isWritable: boolean }> {
  const opened = async (flags: number, isWritable: boolean) => {
    const handle = await open(path, flags | constants.O_NOFOLLOW)
    return { handle, isWritable, [Symbol.asyncDispose]: () => handle.close() }
  }
  try {
    return await opened(constants.O_RDWR, true)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error
    return opened(constants.O_RDONLY, false)
  }
}

/** On a read-only file system nothing is repaired: the next start tries again. */
function whereWritable(act: () => void): void {
  try {
    act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EROFS') throw error
  }
}
