// Lists and watches the interfaces of this network namespace without the addon. In: /proc and /sys
// on Linux, node:os elsewhere. Out: links, and their changes, found by polling twice a second; the
// kernel's count of carrier changes shows what happened in between. Outside Linux, and if /sys
// belongs to another network namespace, only names and addresses are known (index 0, up).
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { osErrorMessage } from '../../model/errors.ts'
import type { LinkType } from '../../model/linkType.ts'
import type { Link, LinkChange } from '../driver.ts'

export type SeenLink = Link & { readonly carrierChanges: number }
type Details = Omit<SeenLink, 'name' | 'addresses' | 'alternativeNames' | 'gsoMaxBytes'>

const pollIntervalMs = 500
const gsoMaxBytes = 65_536 // /sys does not show BIG TCP
const unknown: Details = Object.freeze({
  index: 0,
  kind: '',
  isUp: true,
  mtu: 0,
  peerIndex: undefined,
  carrierChanges: 0,
  hardwareType: 0,
  linkType: 'Ethernet', // the session tells another one when it opens
})

// include/uapi/linux/if_arp.h; native/links.c has the same
const hardwareTypes = {
  ethernet: [1, 772], // 772: loopback
  rawIp: [0xfffe, 519, 768, 769, 776], // none (tun, WireGuard), raw IP, IP in IP, IP in IPv6, SIT
  gre: [778, 823],
}
const flagBits = { up: 0x1, broadcast: 0x2, pointToPoint: 0x10 }

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
    alternativeNames: [], // /sys does not show them
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
  const flags = sysfsNumber(name, 'flags')
  const hardwareType = sysfsNumber(name, 'type')
  const carrierChanges = sysfsNumber(name, 'carrier_changes')
  return {
    index,
    kind: '',
    isUp: (flags & flagBits.up) !== 0,
    mtu: sysfsNumber(name, 'mtu'),
    peerIndex: linked === index ? undefined : linked,
    carrierChanges,
    hardwareType,
    linkType: linkTypeOfHardware(hardwareType, flags),
  }
}

/** GRE without one other end shows the outer header, and is not supported. */
export function linkTypeOfHardware(hardwareType: number, flags: number): LinkType | undefined {
  if (hardwareTypes.ethernet.includes(hardwareType)) return 'Ethernet'
  const hasOneEnd = (flags & flagBits.pointToPoint) !== 0 && (flags & flagBits.broadcast) === 0
  const isRawIp =
    hardwareTypes.rawIp.includes(hardwareType) ||
    (hasOneEnd && hardwareTypes.gre.includes(hardwareType))
  return isRawIp ? 'RawIp' : undefined
}

function sysfsNumber(name: string, attribute: string): number {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/${attribute}`, 'utf8'))
  } catch (error) {
    osErrorMessage(error)
    return 0 // removed since the list was read, or an attribute that this kind does not have
  }
}
