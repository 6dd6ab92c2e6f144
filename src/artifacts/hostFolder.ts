// A directory on the node for archives, made with 0750 if it is missing. In: the administrator's
// directory and the names below it. Out: its path. Refuses a symbolic link below the
// administrator's directory. commitFile() never replaces an existing file.
import { constants } from 'node:fs'
import { link, lstat, mkdir, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { HostPlace } from '../model/artifact.ts'
import { ExpectedError } from '../model/errors.ts'
import { replaceFile, syncDirectory } from '../runtime/atomicWrite.ts'
import { makeDirectory } from '../runtime/makeDirectory.ts'

export async function hostFolder({ base, below }: HostPlace): Promise<string> {
  await makeDirectory(base, 0o750)
  const folders = below.map((_, index) => join(base, ...below.slice(0, index + 1)))
  for (const folder of folders) {
    await mkdir(folder, { mode: 0o750 }).catch(ignore('EEXIST'))
    if (!(await lstat(folder)).isDirectory())
      throw new ExpectedError(
        `Cannot keep archives in "${folder}": found a symbolic link or a file, expected a directory`,
      )
  }
  return folders.at(-1) ?? base
}

/**
 * Gives a finished file its name: the first of these that is free. Returns the path. It never
 * replaces a file, so atomicWrite() does not fit.
 */
export async function commitFile(
  temporary: string,
  candidates: readonly string[],
): Promise<string> {
  for (const path of candidates) {
    try {
      await link(temporary, path) // fails if the file exists, which rename() would replace
      await rm(temporary)
      await syncDirectory(dirname(path))
      return path
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') continue
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error
      if ((await lstat(path).catch(ignore('ENOENT'))) !== undefined) continue // the file system has no hard links
      await replaceFile(temporary, path, true)
      return path
    }
  }
  throw new ExpectedError(
    `Cannot name an archive: ${candidates.map(path => `"${path}"`).join(' and ')} are there already`,
  )
}

/** A new temporary file, 0640; replaces what an earlier try left. */
export async function openTemporary(path: string): Promise<import('node:fs/promises').FileHandle> {
  await rm(path, { force: true })
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const handle = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o640)
  await handle.chmod(0o640) // whatever the umask is
  return handle
}

function ignore(code: string): (error: NodeJS.ErrnoException) => undefined {
  return error => {
    if (error.code !== code) throw error
  }
}
