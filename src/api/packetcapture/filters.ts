// Builds the pcap expression of `filters`, from parsed values only, never from a user's text. Pure.
// Rules are ORed; within a rule its protocol and one of its ports are ANDed. Throws RangeError that
// names the field below spec.

import { show } from '../fields.ts'

type Ports = { readonly from: number; readonly to: number }

const names: Readonly<Record<string, number>> = {
  TCP: 6,
  UDP: 17,
  ICMP: 1,
  ICMPv6: 58,
  SCTP: 132,
  UDPLite: 136,
}
const words = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [1, 'icmp'],
  [58, 'icmp6'],
  [132, 'sctp'],
])
const withPorts: readonly (number | undefined)[] = [undefined, 6, 17, 132, 136]
const udpLite = 136

/** '' for no rules, which matches all packets. */
export function filtersExpression(filters: unknown): string {
  if (filters === undefined || filters === null) return ''
  if (!Array.isArray(filters))
    throw new RangeError(`filters: found ${show(filters)}, expected a list of rules`)
  return filters.map((rule, index) => `(${ruleExpression(rule, `filters[${index}]`)})`).join(' or ')
}

function ruleExpression(rule: unknown, field: string): string {
  if (typeof rule !== 'object' || rule === null || Array.isArray(rule))
    throw new RangeError(
      `${field}: found ${show(rule)}, expected a rule with protocol, ports or both`,
    )
  const { protocol, ports } = rule as { protocol?: unknown; ports?: unknown }
  const number =
    protocol === undefined || protocol === null
      ? undefined
      : readProtocol(protocol, `${field}.protocol`)
  const isNamed = typeof protocol === 'string' && Object.hasOwn(names, protocol)
  const ranges = readPorts(ports, `${field}.ports`)
  if (number === undefined && ranges.length === 0)
    throw new RangeError(`${field}: found neither, expected protocol, ports or both`)
  if (ranges.length > 0 && !withPorts.includes(number))
    throw new RangeError(
      `${field}.ports: found ports with protocol ${show(protocol)}, expected TCP, UDP, SCTP, UDPLite or no protocol: no other has ports`,
    )
  if (number === udpLite && ranges.length > 0) return udpLiteWithPorts(ranges)
  const parts = [
    ...(number === undefined ? [] : [protocolExpression(number, isNamed, ranges.length > 0)]),
    ...(ranges.length === 0 ? [] : [portsExpression(ranges, number !== undefined)]),
  ]
  return parts.join(' and ')
}

function protocolExpression(number: number, isNamed: boolean, isBracketed: boolean): string {
  const word = isNamed ? words.get(number) : undefined
  const either = `ip proto ${number} or ip6 proto ${number}`
  return word ?? (isBracketed ? `(${either})` : either)
}

function portsExpression(ranges: readonly Ports[], isBracketed: boolean): string {
  const each = ranges
    .map(({ from, to }) => (from === to ? `port ${from}` : `portrange ${from}-${to}`))
    .join(' or ')
  return isBracketed ? `(${each})` : each
}

// pcap's `port` does not cover UDP-Lite, whose ports are where UDP's are: behind the IP header, in
// the first fragment.
function udpLiteWithPorts(ranges: readonly Ports[]): string {
  const either = (source: string, destination: string) =>
    ranges.flatMap(range => [within(source, range), within(destination, range)]).join(' or ')
  const header = '((ip[0] & 15) * 4)'
  const ipv4 = either(`ip[${header}:2]`, `ip[${header} + 2:2]`)
  return `(ip proto ${udpLite} and ip[6:2] & 8191 = 0 and (${ipv4})) or (ip6 proto ${udpLite} and (${either('ip6[40:2]', 'ip6[42:2]')}))`
}

function within(bytes: string, { from, to }: Ports): string {
  return from === to ? `${bytes} = ${from}` : `(${bytes} >= ${from} and ${bytes} <= ${to})`
}

function readProtocol(value: unknown, field: string): number {
  const number = typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= 1 && number <= 255)
    return number
  if (typeof value === 'string' && Object.hasOwn(names, value)) return names[value] as number
  throw new RangeError(
    `${field}: found ${show(value)}, expected one of ${Object.keys(names).join(', ')} (as written here), or a number from 1 to 255`,
  )
}

function readPorts(value: unknown, field: string): Ports[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value))
    throw new RangeError(`${field}: found ${show(value)}, expected a list of ports`)
  return value.map((port, index) => readPort(port, `${field}[${index}]`))
}

function readPort(value: unknown, field: string): Ports {
  const [, first, last] =
    /^(\d{1,5})(?::(\d{1,5}))?$/.exec(
      typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '',
    ) ?? []
  const [from, to] = [Number(first), Number(last ?? first)]
  if (from >= 1 && from <= to && to <= 65_535) return { from, to }
  throw new RangeError(
    `${field}: found ${show(value)}, expected a port from 1 to 65535 or "first:last"; named ports are not supported by PacketCapture`,
  )
}
