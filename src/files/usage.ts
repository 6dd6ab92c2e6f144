// What one capture uses on this node's disk, and its actual state. In: its directory, the state of
// its endpoints and the counts of their active files. Out: file sizes, totals, ActualCapture.
// Changes nothing on disk. A directory that is gone has no files.
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ActualCapture, ActualEndpoint } from '../model/actualState.ts'
import { ifThere, namesIn } from '../runtime/ifThere.ts'
import type { FileList, FileSizes } from './fileList.ts'
import { isCaptureFile } from './names.ts'
import type { StoredEndpoint, WrittenTotal } from './storedTypes.ts'

export type UsedFile = { readonly name: string; readonly bytes: number; readonly isActive: boolean }

/** The capture files of a directory. Sizes that are known are not read again. */
export async function listFiles(directory: string, known: FileSizes): Promise<FileSizes> {
  const names = (await namesIn(directory)).filter(isCaptureFile)
  const sizes = new Map<string, number>()
  for (const name of names) {
    const bytes = known.get(name) ?? (await sizeOf(join(directory, name)))
    if (bytes !== undefined) sizes.set(name, bytes)
  }
  return sizes
}

/** undefined: it is gone, or it is no file. */
async function sizeOf(path: string): Promise<number | undefined> {
  const found = await ifThere(lstat(path))
  return found?.isFile() ? found.size : undefined
}

/** How much of an active file may be read under its name: complete records. */
export type ReadableFile = { readonly name: string; readonly bytes: number }

/** How much of each file may be read: of an active file only complete records. By name. */
export function usedFiles(
  { names, sizes }: Pick<FileList, 'names' | 'sizes'>,
  hidden: ReadonlySet<string>,
  activeFiles: readonly ReadableFile[],
): UsedFile[] {
  const active = new Map(activeFiles.map(({ name, bytes }) => [name, bytes]))
  const shown = hidden.size === 0 ? names : names.filter(name => !hidden.has(name))
  return shown.map(name => ({
    name,
    bytes: active.get(name) ?? sizes.get(name) ?? 0,
    isActive: active.has(name),
  }))
}

/** Packets and record bytes written for all endpoints, also those that are no longer listed. */
export function totalOf(
  endpoints: readonly ActualEndpoint[],
  unlisted: WrittenTotal,
): WrittenTotal {
  return {
    packets: unlisted.packets + sum(endpoints.map(({ packets }) => packets)),
    bytes: unlisted.bytes + sum(endpoints.map(({ bytes }) => bytes)),
  }
}

type CaptureState = Omit<ActualCapture, 'fileNames' | 'fileBytes' | 'endpoints'>

export function actualCapture(
  state: CaptureState,
  files: readonly UsedFile[],
  endpoints: ReadonlyMap<string, StoredEndpoint>,
): ActualCapture {
  return {
    ...state,
    fileNames: files.map(({ name }) => name),
    fileBytes: sum(files.map(({ bytes }) => bytes)),
    endpoints: new Map([...endpoints].map(([name, { facts }]) => [name, facts])),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
