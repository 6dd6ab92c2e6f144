// Repairs a capture's directory after a crash. In: the directory and names of files. Out: each file
// without its torn last record, and how much it holds. Waiting files get their final name or are
// removed. Leaves files alone that selcap did not write, and follows no symbolic link.
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Scan, scanFile } from '../pcap/scan.ts'
import { ifThere, namesIn } from '../runtime/ifThere.ts'
import type { FileList } from './fileList.ts'
import { awaitedName, isCaptureFile, isWaiting, rotatedName } from './names.ts'

export type Repaired = { readonly name: string; readonly bytes: number; readonly scan: Scan }

/**
 * A waiting file with packets had become the active one before its name followed: it gets that
 * name, and the active file before it is rotated. A waiting file without packets was never used: it
 * is removed. `active`: only those of this series.
 */
export async function adoptWaitingFiles(
  directory: string,
  list: FileList,
  active?: string,
): Promise<void> {
  const names = (await namesIn(directory))
    .filter(name => isWaiting(name) && (active === undefined || awaitedName(name) === active))
    .toSorted((a, b) => numberOf(a) - numberOf(b))
  for (const name of names) {
    if (!(await ifThere(lstat(join(directory, name))))?.isFile()) continue
    const found = await repairFile(directory, name)
    const isUnused = !found || found.scan.records === 0
    await whereWritable(() =>
      isUnused ? rm(join(directory, name), { force: true }) : promote(directory, list, name),
    )
  }
}

async function promote(directory: string, list: FileList, waiting: string): Promise<void> {
  const active = awaitedName(waiting)
  const before = await ifThere(lstat(join(directory, active)))
  if (before) {
    const name = rotatedName(active, before.mtimeMs, list.names)
    await rename(join(directory, active), join(directory, name))
    list.addRotated(active, name, before.size)
  }
  await rename(join(directory, waiting), join(directory, active))
  list.set(active, (await lstat(join(directory, active))).size)
}

function numberOf(waiting: string): number {
  return Number(/\d+$/.exec(waiting)?.[0])
}

/** Files that selcap did not write, or that are gone, are not among the results. */
export async function repairFiles(
  directory: string,
  names: readonly string[],
): Promise<readonly Repaired[]> {
  const results: Repaired[] = []
  for (const name of names.filter(isCaptureFile)) {
    const result = await repairFile(directory, name)
    if (result) results.push(result)
  }
  return results
}

const noFileCodes = ['ENOENT', 'ELOOP', 'EISDIR', 'ENXIO', 'ENODEV']
const notWritableCodes = ['EROFS', 'EACCES', 'EPERM', 'ETXTBSY']

async function repairFile(directory: string, name: string): Promise<Repaired | undefined> {
  try {
    await using file = await openToRepair(join(directory, name))
    const found = await file.handle.stat()
    if (!found.isFile()) return undefined
    const scan = await scanFile(file.handle)
    if (scan && scan.wholeBytes < found.size && file.isWritable)
      await file.handle.truncate(scan.wholeBytes)
    return scan && { name, bytes: scan.wholeBytes, scan }
  } catch (error) {
    if (noFileCodes.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** A file that cannot be written to is read as it is. Never waits for the writer of a pipe. */
async function openToRepair(
  path: string,
): Promise<AsyncDisposable & { readonly handle: FileHandle; readonly isWritable: boolean }> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants
  const opened = async (flags: number, isWritable: boolean) => {
    const handle = await open(path, flags | O_NOFOLLOW | O_NONBLOCK)
    return { handle, isWritable, [Symbol.asyncDispose]: () => handle.close() }
  }
  try {
    return await opened(O_RDWR, true)
  } catch (error) {
    if (!notWritableCodes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return opened(O_RDONLY, false)
  }
}

/** Where nothing can be written nothing is repaired: the next start tries again. */
async function whereWritable(act: () => Promise<void>): Promise<void> {
  try {
    await act()
  } catch (error) {
    if (!notWritableCodes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
