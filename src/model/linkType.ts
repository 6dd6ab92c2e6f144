// What the frames of an interface begin with, and the number of it in the header of a capture file
// (LINKTYPE_*). In: a number. Out: the link type; undefined for every other. Pure.

/** Ethernet: also loopback. RawIp: tun, WireGuard, IP tunnels. */
export type LinkType = 'Ethernet' | 'RawIp'

export const linkTypeNumbers: Readonly<Record<LinkType, number>> = { Ethernet: 1, RawIp: 101 }

export function linkTypeOf(number: number): LinkType | undefined {
  if (number === linkTypeNumbers.Ethernet) return 'Ethernet'
  return number === linkTypeNumbers.RawIp ? 'RawIp' : undefined
}
