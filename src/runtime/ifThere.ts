// Asks a file system for what may be gone by now. In: a call that looks something up. Out: its
// result, or undefined where nothing has that path. Refuses every other failure.
import { readdir, rmdir } from 'node:fs/promises'

/** undefined: there is no such file. */
export async function ifThere<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return undefined
    throw error
  }
}

/** Empty where the directory is gone. */
export async function namesIn(directory: string): Promise<readonly string[]> {
  return (await ifThere(readdir(directory))) ?? []
}

/** A directory that holds something, or is gone, is left as it is. */
export async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
  }
}
