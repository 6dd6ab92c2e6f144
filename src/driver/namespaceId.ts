// What tells one network namespace from another: the device and inode of its file, because a name
// may be given to another namespace. In: the file's path. Out: the identity; undefined: no file.
import { stat } from 'node:fs/promises'
import { isExpected } from '../model/errors.ts'

export async function namespaceId(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path)
    return `${dev}:${ino}`
  } catch (error) {
    if (!isExpected(error)) throw error
    return undefined // it was removed since, or is a dangling link
  }
}
