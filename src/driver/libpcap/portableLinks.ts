// Lists and watches the interfaces of this network namespace without the addon. In: /proc and /sys
// on Linux, node:os elsewhere. Out: links, and their changes, found by polling twice a second; the
// kernel's count of carrier changes shows what happened in between. Outside Linux, and if /sys
// belongs to another network namespace, only names and addresses are known (index 0, up).
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { osErrorMessage } from '../../model/errors.ts'
import type { Link, LinkChange } from '../driver.ts'

export type SeenLink = Link & { readonly carrierChanges: number }
type Details = Omit<SeenLink, 'name' | 'addresses' | 'gsoMaxBytes'>

const pollIntervalMs = 500
const gsoMaxBytes = 65_536 // /sys does not show BIG TCP
const unknown: Details = Object.freeze({
  index: 0,
  kind: '',
  isUp: true,
  mtu: 0,
  peerIndex: undefined,
  carrierChanges: 0,
})

/** Of the namespace this process runs in. Addresses are those of interfaces that are up. */
export function readLinks(): readonly SeenLink[] {
  const addresses = networkInterfaces()
  const names = linkNames() ?? Object.keys(addresses)
  const sysfsIsOurs =
    names.length > 0 &&
    names.every(name => existsSync(`/sys/class/net/${name}`)) &&
    sysfsLinks() === names.length
  return names.map(name => ({
    name,
    gsoMaxBytes,
    ...(sysfsIsOurs ? sysfs(name) : unknown),
    addresses: (addresses[name] ?? []).map(({ address }) => address),
  }))
}

export function watchReadLinks(
  onChange: (change: LinkChange) => void,
  read = readLinks,
): Disposable {
  let before = byName(read())
  const timer = setInterval(() => {
    const now = byName(read())
    for (const change of differences(before, now)) onChange(change)
    before = now
  }, pollIntervalMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/**
 * The changes between two lists. A link that was created again under its name is first gone, then
 * present.
 */
export function differences(
  before: ReadonlyMap<string, SeenLink>,
  now: ReadonlyMap<string, SeenLink>,
): LinkChange[] {
  const gone = [...before.values()].filter(link => now.get(link.name)?.index !== link.index)
  return [
    ...gone.map(({ name, index }): LinkChange => ({ kind: 'gone', name, index })),
    ...[...now.values()].flatMap(link => changesOf(before.get(link.name), link)),
  ]
}

function changesOf(old: SeenLink | undefined, link: SeenLink): LinkChange[] {
  const change = (isUp: boolean): LinkChange => ({
    kind: isUp ? 'present' : 'down',
    name: link.name,
    index: link.index,
  })
  if (old?.index !== link.index || old.isUp !== link.isUp) return [change(link.isUp)]
  return old.carrierChanges === link.carrierChanges ? [] : [change(!link.isUp), change(link.isUp)] // down and up again, or the reverse
}

function byName(links: readonly SeenLink[]): ReadonlyMap<string, SeenLink> {
  return new Map(links.map(link => [link.name, link]))
}

// /proc/net always belongs to the process's own namespace. Two lines of heading, then `name:
// counters`.
function linkNames(): string[] | undefined {
  if (!existsSync('/proc/net/dev')) return undefined
  const lines = readFileSync('/proc/net/dev', 'utf8').trim().split('\n').slice(2)
  return lines.map(line => line.slice(0, line.lastIndexOf(':')).trim())
}

function sysfsLinks(): number {
  return readdirSync('/sys/class/net').filter(name => existsSync(`/sys/class/net/${name}/ifindex`))
    .length
}

function sysfs(name: string): Details {
  const index = sysfsNumber(name, 'ifindex')
  const linked = sysfsNumber(name, 'iflink')
  const isUp = (sysfsNumber(name, 'flags') & 1) === 1
  const carrierChanges = sysfsNumber(name, 'carrier_changes')
  return {
    index,
    kind: '',
    isUp,
    mtu: sysfsNumber(name, 'mtu'),
    peerIndex: linked === index ? undefined : linked,
    carrierChanges,
  }
}

function sysfsNumber(name: string, attribute: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/${attribute}`, 'utf8'))
  } catch (error) {
    osErrorMessage(error)
    return 0 // removed since the list was read, or an attribute that this kind does not have
  }
}
