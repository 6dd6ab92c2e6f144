// The small file beside a capture's files that carries what must survive a restart: whose they are, counters, gaps, limits.
// Written whole to a new file that then takes the old one's place; never through a symbolic link.
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ActualEndpoint, Halt, LimitHit } from '../model/actualState.ts'
import type { ArtifactResult } from '../model/artifact.ts'
import type { CaptureRef } from '../model/captureRef.ts'
import type { CloseReason } from '../model/codes.ts'
import { atomicWriteSync } from '../runtime/atomicWrite.ts'
import { hasStoredShape } from './stateSchema.ts'

export const stateFileName = '.selcap.json'

/** The active file as it was counted when the state was written: what it holds beyond that came afterwards. `settings`: what its records follow. */
export type ActiveFile = {
  readonly name: string
  readonly inode: number // it keeps it when it is renamed
  readonly bytes: number
  readonly packets: number
  readonly recordBytes: number
  readonly received: number
  readonly dropped: number
  readonly beganAtMs: number // when it became the active one
  readonly firstRecordAtMs?: number // missing: it holds no packet
  readonly settings: string
}

export type StoredEndpoint = {
  readonly facts: ActualEndpoint
  readonly active?: ActiveFile
  readonly closed?: CloseReason // missing: open when the state was written
}

export type StoredCapture = {
  readonly version: 1
  readonly capture: CaptureRef
  readonly node: string
  readonly savedAtMs: number
  readonly firstOpenedAtMs?: number
  readonly limitHit?: LimitHit
  readonly halt?: Halt
  readonly made?: ArtifactResult
  readonly rows: readonly StoredEndpoint[]
  /** Of rows that were let go: what still counts against the limits. */
  readonly goneRows?: { readonly packets: number; readonly bytes: number }
}

/** undefined: there is none. One that cannot be read is reported as belonging to nobody (no uid), so that its files stay until asked for. */
export function readState(directory: string): StoredCapture | undefined {
  const text = readText(join(directory, stateFileName))
  return text === undefined ? undefined : asState(text, directory)
}

/** Returns when the state stands on disk. `isLasting`: also after a power cut. */
export function writeState(directory: string, state: StoredCapture, isLasting: boolean): void {
  atomicWriteSync(join(directory, stateFileName), JSON.stringify(state), { isLasting, mode: 0o640 })
}

function readText(path: string): string | undefined {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      return readFileSync(fd, 'utf8')
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

function asState(text: string, directory: string): StoredCapture {
  try {
    const state: unknown = JSON.parse(text)
    if (hasStoredShape(state)) return state
  } catch {} // falls through: what it said is lost, that there was one is known
  const [name = '', namespace = ''] = directory.split('/').toReversed()
  const capture: CaptureRef = { api: 'PacketCapture', namespace, name, uid: '' }
  return { version: 1, capture, node: '', savedAtMs: 0, rows: [] }
}
