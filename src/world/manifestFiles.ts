// The manifests of one directory as they stand: every *.yaml, *.yml and *.json in it, symbolic links followed
// (a ConfigMap's volume is made of them), names that begin with a dot left out. A file that does not parse or
// validate keeps its last good documents and is reported once. Does not watch (manifests.ts does).
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Document } from '../document/read.ts'
import { readDocuments } from '../document/read.ts'

export type FileState = {
  readonly text: string
  readonly documents: readonly Document[] // the last good ones
  readonly problems: readonly string[] // of the text as it stands now
  readonly isGood: boolean // some text of this file was good
}

export type ManifestFiles = ReadonlyMap<string, FileState>

/** Reads the directory again; files whose text did not change are not parsed again. */
export async function readManifestFiles(directory: string, before: ManifestFiles): Promise<ManifestFiles> {
  const names = (await readdir(directory)).filter(name => /^[^.].*\.(ya?ml|json)$/.test(name)).toSorted()
  const texts = await Promise.all(names.map(name => readIfThere(join(directory, name))))
  return new Map(
    names.flatMap((name, index) => {
      const text = texts[index]
      return text === undefined ? [] : [[name, stateOf(name, text, before.get(name))] as const]
    }),
  )
}

function stateOf(name: string, text: string, before: FileState | undefined): FileState {
  if (before?.text === text) return before
  const { documents, problems } = readDocuments(text, name)
  if (problems.length === 0) return { text, documents, problems: [], isGood: true }
  return { text, documents: before?.documents ?? [], problems: problems.map(problem => problem.text), isGood: before?.isGood ?? false }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EISDIR') return undefined
    throw error
  }
}
