// How many taps the process has file descriptors for. In: its limit and what is open, from /proc.
// Out: a number; what a node needs beside its taps is left out: manifests, statuses, requests and
// live streams. Without /proc there is no bound.
import { readdir, readFile } from 'node:fs/promises'
import { ExpectedError } from '../model/errors.ts'

const perTap = 4 // its ring, its file, the next file, and one while it rotates
const kept = 24

export type Descriptors = { readonly limit: number; readonly used: number }

export async function readDescriptors(): Promise<Descriptors> {
  try {
    const [limits, used] = await Promise.all([
      readFile('/proc/self/limits', 'utf8'),
      readdir('/proc/self/fd'),
    ])
    const [, soft = ''] = /^Max open files\s+(\d+)/m.exec(limits) ?? []
    return { limit: soft === '' ? Number.POSITIVE_INFINITY : Number(soft), used: used.length }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EMFILE') return { limit: 0, used: 0 } // none is left to look with
    return { limit: Number.POSITIVE_INFINITY, used: 0 } // no /proc
  }
}

export function tapsWithin({ limit, used }: Descriptors): number {
  return Math.max(0, Math.floor((limit - used - kept) / perTap))
}

/** What a tap without room says. */
export function noDescriptors(): ExpectedError {
  return new ExpectedError(
    "Cannot open a tap: the process's limit of file descriptors leaves none for another tap; expected a higher limit (ulimit -n)",
  )
}
