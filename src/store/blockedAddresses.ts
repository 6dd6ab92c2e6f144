// Which addresses a store may have. In: the address of a connection to be made. Out: why it is
// blocked, or undefined. Blocks link-local, loopback, multicast and cloud metadata addresses, also
// when mapped into IPv6, translated (NAT64) or tunnelled (6to4). The administrator's ranges are
// allowed first.
import { BlockList, isIP } from 'node:net'

type AddressRange = readonly [address: string, prefix: number]

const kinds: Readonly<Record<string, readonly AddressRange[]>> = {
  'an unspecified address': [['0.0.0.0', 8], ['::', 128]], // biome-ignore format: a line a kind
  'a loopback address': [['127.0.0.0', 8], ['::1', 128]], // biome-ignore format: a line a kind
  'a link-local address': [['169.254.0.0', 16], ['fe80::', 10]], // biome-ignore format: a line a kind
  'a multicast or reserved address': [['224.0.0.0', 3], ['ff00::', 8], ['::', 96]], // biome-ignore format: a line a kind
  "a cloud's metadata service": [['fd00:ec2::254', 128], ['fd20:ce::254', 128], ['100.100.100.200', 32], ['168.63.129.16', 32]], // biome-ignore format: a line a kind
}

const lists = Object.entries(kinds).map(
  ([kind, ranges]) => [kind, listOf(ranges.flatMap(range => [range, ...hidden(range)]))] as const,
)

/** `allowed`: ranges such as `127.0.0.0/8` that the administrator allows. */
export function blockedAddressReason(
  address: string,
  allowed: readonly string[],
): string | undefined {
  const [plain = '', zone] = address.split('%')
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(plain) === 0) return 'not an address'
  if (listOf(allowed.flatMap(text => rangeOf(text) ?? [])).check(plain, family)) return undefined
  if (zone !== undefined) return 'a link-local address'
  return lists.find(([, list]) => list.check(plain, family))?.[0]
}

/** undefined: not a range. */
export function rangeOf(text: string): [AddressRange] | undefined {
  const [address = '', prefix, ...rest] = text.split('/')
  const bits = isIP(address) === 4 ? 32 : 128
  const length =
    prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
  return isIP(address) !== 0 && rest.length === 0 && length <= bits
    ? [[address, length]]
    : undefined
}

/** The IPv6 ranges that lead to an IPv4 range; BlockList itself checks mapped addresses. */
function hidden([address, prefix]: AddressRange): AddressRange[] {
  if (isIP(address) !== 4) return []
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
  const words = [a * 256 + b, c * 256 + d].map(word => word.toString(16)).join(':')
  return [
    [`64:ff9b::${words}`, 96 + prefix],
    [`2002:${words}::`, 16 + prefix],
  ]
}

function listOf(ranges: readonly AddressRange[]): BlockList {
  const list = new BlockList()
  for (const [address, prefix] of ranges)
    list.addSubnet(address, prefix, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return list
}
