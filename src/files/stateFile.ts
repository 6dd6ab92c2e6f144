// Reads and writes the state file of a capture's directory: whose the files are, counters, gaps,
// limits. In: a directory, a state. Out: a file that is replaced as a whole by renaming, or the
// state it holds. Follows no symbolic link. Believes no file of another shape (stateSchema.ts).
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { CaptureRef } from '../model/captureRef.ts'
import { atomicWrite } from '../runtime/atomicWrite.ts'
import { hasStoredShape } from './stateSchema.ts'
import type { StoredCapture } from './storedTypes.ts'

export const stateFileName = '.selcap.json'

/**
 * undefined: there is none. A file that cannot be parsed gives a state without uid, so that the
 * capture's files are kept.
 */
export async function readState(directory: string): Promise<StoredCapture | undefined> {
  const text = await readText(join(directory, stateFileName))
  return text === undefined ? undefined : asState(text, directory)
}

/** `isLasting`: returns when the state would also survive a power cut. */
export async function writeState(
  directory: string,
  state: StoredCapture,
  isLasting: boolean,
): Promise<void> {
  const text = JSON.stringify(state)
  await atomicWrite(join(directory, stateFileName), text, { isLasting, mode: 0o640 })
}

async function readText(path: string): Promise<string | undefined> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
  try {
    await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    return await file.readFile('utf8')
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
