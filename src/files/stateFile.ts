// Reads and writes the state file of a capture's directory: whose the files are, counters, gaps,
// limits. In: a directory, a state. Out: a file that is replaced as a whole by renaming, with a
// copy of each state that survives a power cut; or the state they hold. Follows no symbolic link,
// waits for no pipe, and believes no file of another shape (stateSchema.ts). A file that cannot be
// read is no new capture's: the copy stands for it, or a state without a uid.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { CaptureRef } from '../model/captureRef.ts'
import { osErrorMessage } from '../model/errors.ts'
import { atomicWrite } from '../runtime/atomicWrite.ts'
import { namesIn } from '../runtime/ifThere.ts'
import { isKeptAside } from '../runtime/keepAside.ts'
import { hasStoredShape } from './stateSchema.ts'
import type { StoredCapture } from './storedTypes.ts'

export const stateFileName = '.selcap.json'
const copyName = `${stateFileName}.copy`
const bytesMax = 268_435_456 // 100,000 rows have a fifth of it
const mode = 0o640
const passingCodes = ['EMFILE', 'ENFILE', 'ENOMEM', 'EINTR'] // they say nothing of the file

/** `isRestored`: the state file could not be read, and this is its copy, or nothing but a name. */
export type FoundState = StoredCapture & { readonly isRestored?: true }

/** The name of a file that only a capture's directory has. */
export function isStateFile(name: string): boolean {
  return name === stateFileName || name === copyName || isKeptAside(name, stateFileName)
}

/** undefined: there is none, and there was none. */
export async function readState(directory: string): Promise<FoundState | undefined> {
  const found = await readOne(join(directory, stateFileName))
  if (typeof found === 'object') return found
  const copy = await readOne(join(directory, copyName))
  const isNew =
    found === undefined && copy === undefined && !(await namesIn(directory)).some(isStateFile)
  if (isNew) return undefined
  const reason = found ?? 'it is missing'
  const unreadable = `"${stateFileName}" could not be read: ${reason}`
  if (typeof copy === 'object')
    return {
      ...copy,
      isRestored: true,
      unreadable: `${unreadable}; its copy and the files tell what was captured`,
    }
  const [name = '', namespace = ''] = directory.split('/').toReversed()
  const capture: CaptureRef = { api: 'PacketCapture', namespace, name, uid: '' }
  return {
    version: 1,
    capture,
    node: '',
    savedAtMs: 0,
    rows: [],
    isRestored: true,
    unreadable: `${unreadable}; the files tell what was captured`,
  }
}

/** `isLasting`: returns when the state and a copy would also survive a power cut. */
export async function writeState(
  directory: string,
  state: StoredCapture,
  isLasting: boolean,
): Promise<void> {
  const text = JSON.stringify(state)
  await atomicWrite(join(directory, stateFileName), text, { isLasting, mode })
  if (isLasting) await atomicWrite(join(directory, copyName), text, { isLasting, mode })
}

/** undefined: it is not there. A text: why it cannot be read. */
async function readOne(path: string): Promise<StoredCapture | string | undefined> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants
  try {
    await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    const found = await file.stat()
    if (!found.isFile()) return 'expected a file'
    if (found.size > bytesMax) return `expected at most ${bytesMax} bytes, found ${found.size}`
    const state: unknown = JSON.parse(await file.readFile('utf8'))
    return hasStoredShape(state) ? state : 'expected a state of version 1'
  } catch (error) {
    if (error instanceof SyntaxError) return 'expected JSON'
    if (passingCodes.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    return osErrorMessage(error)
  }
}
