// The directories of captures: {captureDir}/{namespace}/{name}, each with its state file. In:
// captureDir and a capture's namespace and name. Out: directories made, listed and removed. Refuses
// names that are no DNS names and symbolic links below captureDir, and removes only directories
// with a state file.
import {
  closeSync,
  constants,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { captureKey } from '../model/captureRef.ts'
import { ExpectedError } from '../model/errors.ts'
import { makeDirectorySync } from '../runtime/makeDirectory.ts'
import { readState, stateFileName } from './stateFile.ts'
import type { StoredCapture } from './storedTypes.ts'

const dnsName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

export type FoundFolder = { readonly directory: string; readonly state: StoredCapture }

type FolderOwner = Parameters<typeof captureKey>[0]

/** Where a capture's files lie. Refuses a name that is no DNS name. */
export function folderOf(captureDir: string, capture: FolderOwner): string {
  const names = captureKey(capture).split('/')
  for (const name of names) {
    if (!dnsName.test(name) || name.includes('..') || names.length !== 2)
      throw new ExpectedError(
        `Cannot keep files of "${captureKey(capture)}": found "${name}", expected a DNS name`,
      )
  }
  return join(captureDir, ...names)
}

/**
 * Makes the directory, 0750, if it does not exist. Refuses a symbolic link or a file of that name.
 */
export function makeFolder(captureDir: string, capture: FolderOwner): string {
  const folder = folderOf(captureDir, capture)
  makeDirectorySync(captureDir, 0o750)
  for (const each of [dirname(folder), folder]) {
    try {
      mkdirSync(each, { mode: 0o750 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      mustBeDirectory(each)
    }
  }
  return folder
}

/**
 * Every directory under captureDir with a state file. `others`: those whose state file names
 * another capture, such as a copy.
 */
export function listFolders(captureDir: string): {
  readonly found: ReadonlyMap<string, FoundFolder>
  readonly others: readonly string[]
} {
  const found = new Map<string, FoundFolder>()
  const others: string[] = []
  for (const namespace of subdirectories(captureDir)) {
    for (const name of subdirectories(join(captureDir, namespace))) {
      const directory = join(captureDir, namespace, name)
      const state = readState(directory)
      const key = captureKey({ namespace, name })
      if (state && captureKey(state.capture) === key) found.set(key, { directory, state })
      else if (state) others.push(directory)
    }
  }
  return { found, others }
}

/**
 * Removes a capture's directory, if it has a state file, and the namespace's directory if that is
 * empty afterwards.
 */
export function removeFolder(captureDir: string, capture: FolderOwner): void {
  const folder = folderOf(captureDir, capture)
  if (
    !isDirectory(folder) ||
    !isDirectory(dirname(folder)) ||
    !readdirSync(folder).includes(stateFileName)
  )
    return
  const others = readdirSync(folder).filter(name => name !== stateFileName)
  for (const name of others) rmSync(join(folder, name), { recursive: true, force: true }) // removes symbolic links, does not follow them
  rmSync(folder, { recursive: true, force: true }) // the state file last: after a failure the directory is still known as the capture's
  try {
    rmdirSync(dirname(folder))
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
  }
}

/** Opens a file of a capture for appending, 0640; never through a symbolic link. */
export function openForAppend(file: string): number {
  const fd = openSync(
    file,
    constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW,
    0o640,
  )
  try {
    fchmodSync(fd, 0o640) // regardless of the umask
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** How much of captureDir's file system an ordinary user may still write, in percent. */
export function freePercent(captureDir: string): number {
  const { bavail, blocks } = statfsSync(captureDir)
  return blocks === 0 ? 100 : (bavail / blocks) * 100
}

function mustBeDirectory(path: string): void {
  if (!isDirectory(path))
    throw new ExpectedError(
      `Cannot keep files under "${path}": found a symbolic link or a file, expected a directory`,
    )
}

function isDirectory(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function subdirectories(path: string): string[] {
  if (!isDirectory(path)) return []
  return readdirSync(path, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && dnsName.test(entry.name))
    .map(({ name }) => name)
}
