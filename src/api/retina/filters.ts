// Builds one pcap expression of Retina's filters: the user's expression, the included and the
// excluded entries. Pure. The interface selects whose packets are captured, not this filter.
// Entries are parsed, sorted and printed anew, so that neither their order nor their spelling
// matters. Throws RangeError, in Retina's words where Retina has some.
import { isIPv4, isIPv6 } from 'node:net'
import { hasBalancedBrackets, readExpression } from '../filterExpression.ts'
import { maskedNet } from '../maskedNet.ts'

export type RetinaFilters = {
  readonly include?: readonly string[] | null
  readonly exclude?: readonly string[] | null
}

/** '' matches all packets. */
export function systemExpression({ include, exclude }: RetinaFilters): string {
  const included = groupOf(include ?? [])
  const excluded = groupOf(exclude ?? [])
  return combined(' and ', [included, excluded === '' ? '' : `not ${excluded}`])
}

/** One of the sources and one of the destinations; '' for no lists. */
export function addressExpression(
  sourceIPs: readonly string[],
  destinationIPs: readonly string[],
): string {
  const sources = directed('src', 'sourceIPs', sourceIPs)
  const destinations = directed('dst', 'destinationIPs', destinationIPs)
  return allOf(sources, destinations)
}

/** ANDed, with brackets where both are given, as Retina does. */
export function allOf(first: string, second: string): string {
  return first === '' || second === '' ? first + second : `(${first}) and (${second})`
}

/** A filter in pcap's language as the user wrote it, for libpcap. */
export function readUserFilter(text: string): string {
  if (text.trim() === '') throw new RangeError('tcpdump filter cannot be empty or whitespace-only')
  const flag = text.split(/\s+/).find(token => /^--?[A-Za-z]/.test(token))
  if (flag !== undefined)
    throw new RangeError(
      `tcpdump filter contains flag "${flag}", filter contains flags which are not allowed: expected an expression`,
    )
  if (!hasBalancedBrackets(text))
    throw new RangeError('invalid BPF filter syntax: the brackets do not match')
  return readExpression(text)
}

function directed(direction: 'src' | 'dst', field: string, addresses: readonly string[]): string {
  const wrong = addresses.find(address => !isIPv4(address) && !isIPv6(address))
  if (wrong !== undefined || addresses.some(address => address.includes('%')))
    throw new RangeError(
      `${field}: "${wrong ?? addresses.find(address => address.includes('%'))}" is not a valid IP address`,
    )
  return addresses.map(address => `${direction} host ${address}`).join(' or ')
}

function combined(word: string, parts: readonly string[]): string {
  return parts.filter(part => part !== '').join(word)
}

type FilterEntry = { readonly where: string; readonly ports: string } // '' for any; never both

// An entry without a port includes entries of the same address with a port.
function groupOf(entries: readonly string[]): string {
  const read = entries.filter(entry => entry !== '').map(readEntry)
  const whole = new Set(read.filter(({ ports }) => ports === '').map(({ where }) => where))
  const needed = read.filter(({ where, ports }) => ports === '' || !whole.has(where))
  const sorted = [...new Map(needed.map(entry => [keyOf(entry), entry])).values()].toSorted(
    (a, b) => (keyOf(a) < keyOf(b) ? -1 : 1),
  )
  return sorted.length === 0
    ? ''
    : `(${sorted.map(({ where, ports }) => `(${combined(' and ', [where, ports])})`).join(' or ')})`
}

function keyOf({ where, ports }: FilterEntry): string {
  return `${where}\n${ports}`
}

const form = /^(?:\[(?<bracketed>[^\]]*)\]|(?<plain>[^:[\]]*))(?::(?<after>[^:]*))?$/

/**
 * An address, a network, a port or a range of ports; or an address or network, a colon, and a port
 * or range.
 */
function readEntry(entry: string): FilterEntry {
  const { bracketed, plain, after } = form.exec(entry)?.groups ?? {}
  const isPortAlone = after === undefined && plain !== undefined && /^\d+(-\d+)?$/.test(plain)
  const found = isPortAlone
    ? { where: '', ports: portsIn(plain) }
    : {
        where: bracketed === undefined ? ipv4In(plain) : ipv6In(bracketed),
        ports: after === undefined ? '' : portsIn(after),
      }
  const { where, ports } = found
  if (where === undefined || ports === undefined || (where === '' && ports === ''))
    throw new RangeError(`invalid filter ${entry}`)
  return { where, ports }
}

function ipv4In(text: string | undefined): string | undefined {
  if (text === '' || text === '*') return ''
  const [address = '', length, more] = text?.split('/') ?? []
  if (!isIPv4(address) || more !== undefined) return undefined
  return length === undefined ? `host ${address}` : maskedNet(address, length)
}

function ipv6In(text: string): string | undefined {
  const [address = '', length, more] = text.split('/')
  if (!isIPv6(address) || address.includes('%') || more !== undefined) return undefined
  return length === undefined ? `host ${address.toLowerCase()}` : maskedNet(address, length)
}

function portsIn(text: string): string | undefined {
  if (text === '' || text === '*') return ''
  const [, first = '', last = first] = /^(0|[1-9]\d{0,4})(?:-(0|[1-9]\d{0,4}))?$/.exec(text) ?? []
  if (first === '' || Number(last) > 65_535 || Number(first) > Number(last)) return undefined
  return first === last ? `port ${first}` : `portrange ${first}-${last}`
}
