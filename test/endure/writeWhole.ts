// Files that others read meanwhile. Whoever reads one has the old text or the new one.
import { closeSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'

export function writeWhole(path: string, text: string): void {
  writeFileSync(`${path}.new~`, text)
  renameSync(`${path}.new~`, path)
}

/** For a reader that keeps the file open: in place, in one write, always of the same length. */
export function writeClock(path: string, offsetMs: number): void {
  const fd = openSync(path, 'a+')
  closeSync(fd)
  const inPlace = openSync(path, 'r+')
  writeSync(inPlace, String(offsetMs).padEnd(16), 0)
  closeSync(inPlace)
}
