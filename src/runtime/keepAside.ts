// Gives a file that cannot be read a second name beside the first, so that what replaces it does not
// destroy it. In: its path. Out: {path}.unreadable-{time of its last change}. Returns the reason
// where that fails; refuses nothing.
import { link, lstat, rename } from 'node:fs/promises'
import { osErrorMessage } from '../model/errors.ts'
import { ifThere } from './ifThere.ts'

const suffix = '.unreadable'

/** Whether it is the name of something that was kept aside from that path or name. */
export function isKeptAside(name: string, from: string): boolean {
  return name.startsWith(`${from}${suffix}`)
}

/** A directory has its new name alone: nothing can replace it. */
export async function keepAside(path: string): Promise<string | undefined> {
  try {
    const found = await ifThere(lstat(path))
    if (!found) return undefined
    const aside = `${path}${suffix}-${Math.floor(found.mtimeMs)}`
    if (found.isDirectory()) await rename(path, aside)
    else if (!(await ifThere(lstat(aside)))) await link(path, aside)
    return undefined
  } catch (error) {
    return osErrorMessage(error)
  }
}
