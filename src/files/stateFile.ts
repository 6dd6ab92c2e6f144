// Reads and writes the state file of a capture's directory: whose the files are, counters, gaps,
// limits. In: a directory, a state. Out: a file that is replaced as a whole by renaming, or the
// state it holds. Follows no symbolic link. Believes no file of another shape (stateSchema.ts).
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CaptureRef } from '../model/captureRef.ts'
import { atomicWriteSync } from '../runtime/atomicWrite.ts'
import { hasStoredShape } from './stateSchema.ts'
import type { StoredCapture } from './storedTypes.ts'

export const stateFileName = '.selcap.json'

/**
 * undefined: there is none. A file that cannot be parsed gives a state without uid, so that the
 * capture's files are kept.
 */
export function readState(directory: string): StoredCapture | undefined {
  const text = readText(join(directory, stateFileName))
  return text === undefined ? undefined : asState(text, directory)
}

/** `isLasting`: returns when the state would also survive a power cut. */
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
    if (['ENOENT', 'ELOOP', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    throw error
  }
}

function asState(text: string, directory: string): StoredCapture {
  try {
    const state: unknown = JSON.parse(text)
    if (hasStoredShape(state)) return state
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error // a crash may have torn it: captureStore.ts logs the missing uid
  }
  const [name = '', namespace = ''] = directory.split('/').toReversed()
  const capture: CaptureRef = { api: 'PacketCapture', namespace, name, uid: '' }
  return { version: 1, capture, node: '', savedAtMs: 0, rows: [] }
}
