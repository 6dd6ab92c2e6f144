// Reads the manifests of one directory: every *.yaml, *.yml and *.json file, also in capitals. Symbolic links are
// followed, because a ConfigMap's volume consists of them; names that begin with a dot are
// skipped. A file that cannot be read, parsed or validated keeps its last good documents and is
// reported once. manifestSource.ts watches.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { ManifestReader } from '../manifest/manifestReader.ts'
import type { Document } from '../manifest/read.ts'

export type FileState = {
  readonly text: string | undefined // undefined: it could not be read
  readonly documents: readonly Document[] // the last good ones
  readonly problems: readonly string[] // of the current text
  readonly isGood: boolean // some earlier or current text was valid
}

export type ManifestFiles = ReadonlyMap<string, FileState>

type ReadFile = { readonly text: string } | { readonly refusal: string }

const hasManifestEnding = (name: string) => /\.(ya?ml|json)$/i.test(name)

export function isManifestName(name: string): boolean {
  return hasManifestEnding(name) && !name.startsWith('.')
}

/** Names that would be manifests if they did not begin with a dot. */
export async function ignoredManifests(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory)
  return names.filter(name => hasManifestEnding(name) && !isManifestName(name)).toSorted()
}

/**
 * Reads the directory again; files whose text did not change are not parsed again. Refuses a
 * directory that cannot be read.
 */
export async function readManifestFiles(
  directory: string,
  before: ManifestFiles,
): Promise<ManifestFiles> {
  const names = (await readdir(directory)).filter(isManifestName).toSorted()
  const found = await Promise.all(names.map(name => readIfThere(join(directory, name))))
  await using reader = new ManifestReader()
  const files = new Map<string, FileState>()
  for (const [index, name] of names.entries()) {
    const read = found[index]
    if (read !== undefined) files.set(name, await stateOf(name, read, before.get(name), reader))
  }
  return files
}

async function stateOf(
  name: string,
  read: ReadFile,
  before: FileState | undefined,
  reader: ManifestReader,
): Promise<FileState> {
  if ('refusal' in read)
    return before?.problems[0] === read.refusal
      ? before
      : refused(undefined, [read.refusal], before)
  if (before?.text === read.text) return before
  await setImmediate() // between files, what else is due goes on
  const { documents, problems } = await reader.read(read.text, name)
  if (problems.length === 0) return { text: read.text, documents, problems: [], isGood: true }
  return refused(
    read.text,
    problems.map(({ text }) => text),
    before,
  )
}

function refused(
  text: string | undefined,
  problems: readonly string[],
  before: FileState | undefined,
): FileState {
  return { text, documents: before?.documents ?? [], problems, isGood: before?.isGood ?? false }
}

// undefined: missing, or a directory. Checked before reading, because reading a pipe or a device
// would never end.
async function readIfThere(file: string): Promise<ReadFile | undefined> {
  try {
    const found = await stat(file)
    if (found.isDirectory()) return undefined
    if (!found.isFile())
      return {
        refusal: `Cannot read "${file}": it is a pipe, a socket or a device, expected a file`,
      }
    return { text: await readFile(file, 'utf8') }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? undefined : { refusal: `Cannot read "${file}": ${code ?? message}` }
  }
}
