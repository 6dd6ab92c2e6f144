// Makes whole what a crash left in a capture's directory: hidden files get the name they were
// about to get or go, a torn last record is cut
// off. Out: for each active file how much it holds, so that counters go on. Foreign files are left alone.
import { constants, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { awaitedName, isCaptureFile, isWaiting, rotatedName } from './name.ts'
import { type Scan, scanFile } from './scan.ts'

export type Repaired = { readonly name: string; readonly bytes: number; readonly scan: Scan }

/**
 * Files that waited to become active: one with packets did become it, only its name did not follow, so it gets it now, and
 * the one before is rotated. The others were never used and go.
 */
export async function adoptWaiting(directory: string): Promise<void> {
  for (const name of readdirSync(directory)
    .filter(isWaiting)
    .toSorted((a, b) => numberOf(a) - numberOf(b))) {
    const found = await repairFile(directory, name)
    if (!found || found.scan.records === 0) rmSync(join(directory, name), { force: true })
    else promote(directory, name, awaitedName(name))
  }
}

function promote(directory: string, waiting: string, active: string): void {
  const before = statSync(join(directory, active), { throwIfNoEntry: false })
  if (before) renameSync(join(directory, active), join(directory, rotatedName(active, before.mtimeMs, readdirSync(directory))))
  renameSync(join(directory, waiting), join(directory, active))
}

function numberOf(waiting: string): number {
  return Number(/\d+$/.exec(waiting)?.[0])
}

/** Those that are no capture files of ours, or are not there, are not among the results. */
export async function repairFiles(directory: string, names: readonly string[]): Promise<readonly Repaired[]> {
  const results = await Promise.all(names.filter(isCaptureFile).map(name => repairFile(directory, name)))
  return results.filter(result => result !== undefined)
}

async function repairFile(directory: string, name: string): Promise<Repaired | undefined> {
  try {
    await using file = await open(join(directory, name), constants.O_RDWR | constants.O_NOFOLLOW)
    const scan = await scanFile(file)
    const { size } = await file.stat()
    if (scan && scan.wholeBytes < size) await file.truncate(scan.wholeBytes)
    return scan && { name, bytes: scan.wholeBytes, scan }
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
