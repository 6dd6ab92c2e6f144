// Where the checkout lies, and the text of one of its files.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..')

export function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}
