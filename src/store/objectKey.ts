// The key of an object: the user's path, then the file's name. Out: a key that begins with no
// slash. Refuses `.` and `..`, control characters and backslashes.
import { posix } from 'node:path'
import { permanentError } from './store.ts'

const bytesMost = 900 // S3 allows 1,024; SFTP's `.part` and a server's own directories need some
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are refused
const unusable = /[\u0000-\u001f\u007f\\]/

export function storeKey(path: string | undefined, key: string): string {
  const joined = posix.join(path ?? '', key).replace(/^\/+/, '')
  if (/(^|\/)\.\.?(\/|$)/.test(`${path ?? ''}/${key}`))
    throw permanentError(`Cannot use the path "${path ?? ''}": expected no "." and ".." in it`)
  const isEmpty = joined === '' || joined === '.' || joined.endsWith('/')
  if (isEmpty || unusable.test(joined) || Buffer.byteLength(joined) > bytesMost)
    throw permanentError(
      `Cannot use "${joined}" as a name in a store: expected at most ${bytesMost} bytes, no control characters and no backslash`,
    )
  return joined
}
