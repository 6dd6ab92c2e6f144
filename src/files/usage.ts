// What one capture uses on this node's disk, and its actual state. In: its directory, the state of
// its endpoints and the counts of their active files. Out: file sizes, totals, ActualCapture.
// Changes nothing on disk. A file that is gone counts as empty.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ActualCapture, ActualEndpoint } from '../model/actualState.ts'
import { isCaptureFile } from './names.ts'
import type { ActiveFile, StoredEndpoint, WrittenTotal } from './storedTypes.ts'

/** By name. */
export type FileSizes = ReadonlyMap<string, number>
export type UsedFile = { readonly name: string; readonly bytes: number; readonly isActive: boolean }

/** The capture files of a directory, but for the hidden ones. */
export function fileSizesIn(directory: string, hidden: ReadonlySet<string>): FileSizes {
  const names = existsSync(directory)
    ? readdirSync(directory).filter(name => isCaptureFile(name) && !hidden.has(name))
    : []
  return new Map(
    names.map(name => [
      name,
      statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0,
    ]),
  )
}

/** How much of each file may be read: of an active file only complete records. By name. */
export function usedFiles(sizes: FileSizes, activeFiles: readonly ActiveFile[]): UsedFile[] {
  const active = new Map(activeFiles.map(({ name, bytes }) => [name, bytes]))
  return [...sizes]
    .map(([name, bytes]) => ({
      name,
      bytes: active.get(name) ?? bytes,
      isActive: active.has(name),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
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
  sizes: FileSizes,
  endpoints: ReadonlyMap<string, StoredEndpoint>,
): ActualCapture {
  const files = usedFiles(
    sizes,
    [...endpoints.values()].flatMap(({ active }) => active ?? []),
  )
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
