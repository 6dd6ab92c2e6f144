// Makes a directory and those above it, as `mkdir -p` does. In: a path, relative or absolute, and
// the mode of what is made. Out: nothing. Refuses with the error of the system call. Node's own
// `recursive: true` never returns for a relative path when the working directory was removed: it
// looks for a parent of "." for ever. Here a relative path ends at its first name.
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ifThere } from './ifThere.ts'

const modeOfAll = 0o777 // less the umask

export async function makeDirectory(path: string, mode = modeOfAll): Promise<void> {
  try {
    await mkdir(path, { mode })
  } catch (error) {
    if (await isThere(path, error)) return
    await makeDirectory(parentOf(path, error), mode)
    await mkdir(path, { mode }).catch(again => mustBeThere(path, again))
  }
}

// For a directory that is there, NFS may answer that it is mounted read-only, and macOS that "/" is
// a directory.
const answersForOneThere = ['EEXIST', 'EROFS', 'EISDIR']

async function isThere(path: string, error: unknown): Promise<boolean> {
  const { code = '' } = error as NodeJS.ErrnoException
  if (!answersForOneThere.includes(code)) return false
  return (await ifThere(stat(path)))?.isDirectory() === true
}

/** Another process may have made it meanwhile. */
async function mustBeThere(path: string, error: unknown): Promise<void> {
  if (!(await isThere(path, error))) throw error
}

function parentOf(path: string, error: unknown): string {
  const parent = dirname(path)
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === '.' || parent === path)
    throw error
  return parent
}
