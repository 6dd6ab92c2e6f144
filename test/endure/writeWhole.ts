// A file that is replaced as a whole: whoever reads it has the old text or the new one.
import { renameSync, writeFileSync } from 'node:fs'

export function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new~`, text)
  renameSync(`${path}.new~`, path)
}
