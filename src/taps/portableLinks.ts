// The interfaces of this network namespace without the addon: from /proc and /sys on Linux, from node:os elsewhere. Changes
// are found by looking twice a second, so an interface that goes down and comes back in between is not noticed.
// Where /sys was mounted in another network namespace, and outside Linux, index, MTU and peer are not known (0, undefined).
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { Link, LinkChange } from './driver.ts'

const lookEveryMs = 500
const gsoMaxBytes = 65_536 // BIG TCP cannot be told from here

/** Of the namespace this process runs in. Addresses are those of interfaces that are up. */
export function readLinks(): readonly Link[] {
  const addresses = networkInterfaces()
  const names = linkNames() ?? Object.keys(addresses)
  const sysfsIsOurs = names.length > 0 && names.every(name => existsSync(`/sys/class/net/${name}`)) && sysfsLinks() === names.length
  return names.map(name => ({
    name,
    gsoMaxBytes,
    ...(sysfsIsOurs ? sysfs(name) : { index: 0, kind: '', isUp: true, mtu: 0, peerIndex: undefined }),
    addresses: (addresses[name] ?? []).map(({ address }) => address),
  }))
}

export function watchReadLinks(onChange: (change: LinkChange) => void, read = readLinks): Disposable {
  let before = byName(read())
  const timer = setInterval(() => {
    const now = byName(read())
    for (const change of differences(before, now)) onChange(change)
    before = now
  }, lookEveryMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** What to tell about links that are not as they were: an interface made again under its name first is gone, then present. */
export function differences(before: ReadonlyMap<string, Link>, now: ReadonlyMap<string, Link>): LinkChange[] {
  const gone = [...before.values()].filter(link => now.get(link.name)?.index !== link.index)
  const other = [...now.values()].filter(link => {
    const old = before.get(link.name)
    return old?.index !== link.index || old.isUp !== link.isUp
  })
  return [
    ...gone.map(({ name, index }): LinkChange => ({ kind: 'gone', name, index })),
    ...other.map(({ name, index, isUp }): LinkChange => ({ kind: isUp ? 'present' : 'down', name, index })),
  ]
}

function byName(links: readonly Link[]): ReadonlyMap<string, Link> {
  return new Map(links.map(link => [link.name, link]))
}

// /proc/net is the namespace's own, always. Two lines of heading, then `name: counters`.
function linkNames(): string[] | undefined {
  if (!existsSync('/proc/net/dev')) return undefined
  const lines = readFileSync('/proc/net/dev', 'utf8').trim().split('\n').slice(2)
  return lines.map(line => line.slice(0, line.lastIndexOf(':')).trim())
}

function sysfsLinks(): number {
  return readdirSync('/sys/class/net').filter(name => existsSync(`/sys/class/net/${name}/ifindex`)).length
}

function sysfs(name: string): Pick<Link, 'index' | 'kind' | 'isUp' | 'mtu' | 'peerIndex'> {
  const index = sysfsNumber(name, 'ifindex')
  const linked = sysfsNumber(name, 'iflink')
  const isUp = (sysfsNumber(name, 'flags') & 1) === 1
  return { index, kind: '', isUp, mtu: sysfsNumber(name, 'mtu'), peerIndex: linked === index ? undefined : linked }
}

function sysfsNumber(name: string, attribute: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/${attribute}`, 'utf8'))
  } catch {
    return 0 // went away between two looks
  }
}
