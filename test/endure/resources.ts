// What a process holds of the machine. In: its number. Out: counts that have to come back to where
// they were when nothing is different any more.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

export type Resources = {
  readonly rssMiB: number
  readonly descriptors: number // without those of the files that wait to become active
  readonly sockets: number
  readonly threads: number
  readonly namespaces: number // network namespaces that it has open or is in
}

export function resourcesOf(pid: number): Resources {
  const links = namesIn(`/proc/${pid}/fd`).map(fd => linkOf(`/proc/${pid}/fd/${fd}`))
  const tasks = namesIn(`/proc/${pid}/task`)
  const namespaces = [
    ...links.filter(link => link.startsWith('net:[')),
    ...tasks.map(task => linkOf(`/proc/${pid}/task/${task}/ns/net`)),
  ]
  const rss = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return {
    rssMiB: Math.round(Number(rss) / 1_024),
    descriptors: links.filter(link => !isWaiting(link)).length,
    sockets: links.filter(link => link.startsWith('socket:[')).length,
    threads: tasks.length,
    namespaces: new Set(namespaces.filter(link => link !== '')).size,
  }
}

const rssMoreMiB = 64 // what a heap may grow by before it is collected

/** Connections to an API server come and go. What leaks is more after a few faults. */
const tolerated = { descriptors: 4, sockets: 4, threads: 2, namespaces: 0 } as const

/** What is more than it was; nothing if all is back. */
export function grown(before: Resources, now: Resources): string[] {
  const counts = (['descriptors', 'sockets', 'threads', 'namespaces'] as const)
    .filter(name => now[name] > before[name] + tolerated[name])
    .map(name => `${name}: ${before[name]} before, ${now[name]} now`)
  const isLarger = now.rssMiB > before.rssMiB + rssMoreMiB
  return [...counts, ...(isLarger ? [`RSS: ${before.rssMiB} MiB before, ${now.rssMiB} now`] : [])]
}

/** As many as the last rotations were fast, four for a tap at most. */
function isWaiting(link: string): boolean {
  return /\.next\d+$/.test(link)
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return [] // it has ended: whoever asks sees that
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return '' // closed meanwhile
  }
}
