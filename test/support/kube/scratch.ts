// A directory of one test run under the system's temporary one. Its name holds the process, so that
// the next run can remove what a killed one left.
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const prefix = 'selcap-cluster-'

export function makeScratch(): string {
  for (const name of readdirSync(tmpdir()).filter(isOrphan)) removeScratch(join(tmpdir(), name))
  return mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
}

export function removeScratch(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

function isOrphan(name: string): boolean {
  const pid = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : Number.NaN
  return (
    !Number.isNaN(pid) &&
    !isAlive(pid) &&
    lstatSync(join(tmpdir(), name), { throwIfNoEntry: false })?.uid === process.getuid?.()
  )
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
