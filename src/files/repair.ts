// Makes whole what a crash left in a capture's directory: hidden files that were never used go, a torn last record is cut
// off. Out: for each active file how much it holds, so that counters go on. Foreign files are left alone.
import { constants, readdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { isCaptureFile, isWaiting } from './name.ts'
import { type Scan, scanFile } from './scan.ts'

export type Repaired = { readonly name: string; readonly bytes: number; readonly scan: Scan }

/** Files that waited to become active and never did. */
export function removeWaiting(directory: string): void {
  for (const name of readdirSync(directory)) if (isWaiting(name)) rmSync(join(directory, name), { force: true })
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
