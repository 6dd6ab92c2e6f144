// The directories of captures: {captureDir}/{namespace}/{name}, each with its state file. In:
// captureDir and a capture's namespace and name. Out: directories made, listed and removed. Refuses
// names that are no DNS names and symbolic links below captureDir, and removes only directories
// with a state file.
import { lstat, mkdir, readdir, rm, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { captureKey } from '../model/captureRef.ts'
import { ExpectedError, osErrorMessage } from '../model/errors.ts'
import type { DiskQueue } from '../runtime/disk.ts'
import { ifThere, namesIn, removeIfEmpty } from '../runtime/ifThere.ts'
import { makeDirectory } from '../runtime/makeDirectory.ts'
import { type FoundState, isStateFile, readState, stateFileName } from './stateFile.ts'

const dnsName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/

export type FoundFolder = { readonly directory: string; readonly state: FoundState }

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
export async function makeFolder(captureDir: string, capture: FolderOwner): Promise<string> {
  const folder = folderOf(captureDir, capture)
  await makeDirectory(captureDir, 0o750)
  for (const each of [dirname(folder), folder]) {
    try {
      await mkdir(each, { mode: 0o750 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      await mustBeDirectory(each)
    }
  }
  return folder
}

/**
 * Every directory under captureDir with a state file. `others`: those whose state file names
 * another capture, such as a copy. `unlisted`: those that cannot be looked at, with the reason.
 */
export async function listFolders(captureDir: string): Promise<{
  readonly found: ReadonlyMap<string, FoundFolder>
  readonly others: readonly string[]
  readonly unlisted: ReadonlyMap<string, string>
}> {
  const found = new Map<string, FoundFolder>()
  const others: string[] = []
  const unlisted = new Map<string, string>()
  const look = async <T>(directory: string, read: (path: string) => Promise<T>) => {
    try {
      return await read(directory)
    } catch (error) {
      unlisted.set(directory, osErrorMessage(error))
      return undefined
    }
  }
  for (const namespace of (await look(captureDir, subdirectories)) ?? []) {
    for (const name of (await look(join(captureDir, namespace), subdirectories)) ?? []) {
      const directory = join(captureDir, namespace, name)
      const state = await look(directory, readState)
      const key = captureKey({ namespace, name })
      if (state && captureKey(state.capture) === key) found.set(key, { directory, state })
      else if (state) others.push(directory)
    }
  }
  return { found, others, unlisted }
}

/**
 * Removes a capture's directory, if it has a state file, and the namespace's directory if that is
 * empty afterwards. Each removal is an operation of its own: other captures get their turn.
 */
export async function removeFolder(
  captureDir: string,
  capture: FolderOwner,
  queue: DiskQueue,
): Promise<void> {
  const folder = folderOf(captureDir, capture)
  const names = await queue.run(() => namesIfFolder(folder))
  if (!names.some(isStateFile)) return
  const others = names.filter(name => name !== stateFileName)
  for (const name of others)
    await queue.run(() => rm(join(folder, name), { recursive: true, force: true })) // removes symbolic links, does not follow them
  await queue.run(() => rm(folder, { recursive: true, force: true })) // the state file last: after a failure the directory is still known as the capture's
  await queue.run(() => removeIfEmpty(dirname(folder)))
}

/** None where it, or what holds it, is a symbolic link or no directory. */
async function namesIfFolder(folder: string): Promise<readonly string[]> {
  if (!(await isDirectory(folder)) || !(await isDirectory(dirname(folder)))) return []
  return namesIn(folder)
}

/** How much of captureDir's file system an ordinary user may still write, in percent. */
export async function freePercent(captureDir: string): Promise<number> {
  const found = await ifThere(statfs(captureDir))
  if (!found) return 100 // nothing was captured yet
  const { bavail, blocks } = found
  return blocks === 0 ? 100 : (bavail / blocks) * 100
}

async function mustBeDirectory(path: string): Promise<void> {
  if (!(await isDirectory(path)))
    throw new ExpectedError(
      `Cannot keep files under "${path}": found a symbolic link or a file, expected a directory`,
    )
}

async function isDirectory(path: string): Promise<boolean> {
  return (await ifThere(lstat(path)))?.isDirectory() ?? false
}

async function subdirectories(path: string): Promise<string[]> {
  if (!(await isDirectory(path))) return []
  return (await readdir(path, { withFileTypes: true }))
    .filter(entry => entry.isDirectory() && dnsName.test(entry.name))
    .map(({ name }) => name)
}
