// Computes how much of a frame `payload: Headers` keeps: everything up to the end of the transport
// header. In: the frame's first bytes, as captured. Out: a length within them. The addon
// has the same rules, and the driver contract's test compares both drivers with this file.
// Understood are up to four VLAN tags; IPv4 with options; IPv6 with hop-by-hop, routing, fragment,
// destination, authentication, mobility, HIP and shim6 headers; TCP with options; UDP and ICMP (8
// bytes), SCTP (12). ARP is cut after 28 bytes, because the padding after them may hold anything. A
// later fragment, a tunnel or an unknown protocol is cut after the last header that was understood.

import type { LinkType } from '../model/linkType.ts'

const vlanTypes: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100])
const fixedHeaders: ReadonlyMap<number, number> = new Map([
  [1, 8], // ICMP
  [17, 8], // UDP
  [58, 8], // ICMPv6
  [132, 12], // SCTP
  [136, 8], // UDP-Lite
])
const tcp = 6
const fragment = 44
const authentication = 51
const extensions: ReadonlySet<number> = new Set([
  0,
  43,
  fragment,
  authentication,
  60,
  135,
  139,
  140,
])
const tagsMax = 4
const extensionsMax = 16

export function headersLength(frame: Uint8Array, linkType: LinkType = 'Ethernet'): number {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  return Math.min(frame.length, linkType === 'RawIp' ? rawIpLength(view) : wantedLength(view))
}

// What is neither IPv4 nor IPv6 may hold anything: nothing of it is kept.
function rawIpLength(packet: DataView): number {
  const version = byte(packet, 0) >> 4
  if (version === 4) return ipv4(packet, 0)
  return version === 6 ? ipv6(packet, 0) : 0
}

// Each step returns where the headers end as far as it understands them; headersLength() limits
// that to the frame.
function wantedLength(frame: DataView): number {
  const linkEnd = ethernetEnd(frame)
  switch (word(frame, linkEnd - 2)) {
    case 0x0800:
      return ipv4(frame, linkEnd)
    case 0x86dd:
      return ipv6(frame, linkEnd)
    case 0x0806:
      return linkEnd + 28
    default:
      return linkEnd
  }
}

function ethernetEnd(frame: DataView): number {
  let end = 14 // plus 4 for each tag
  while (vlanTypes.has(word(frame, end - 2)) && end < 14 + 4 * tagsMax) end += 4
  return end
}

function ipv4(frame: DataView, at: number): number {
  const end = at + Math.max(20, (byte(frame, at) & 15) * 4)
  const isLaterFragment = (word(frame, at + 6) & 0x1fff) !== 0
  return isLaterFragment ? end : transport(frame, byte(frame, at + 9), end)
}

function ipv6(frame: DataView, at: number): number {
  let next = byte(frame, at + 6) // with `end`, walks the chain of extension headers
  let end = at + 40
  for (let count = 0; extensions.has(next) && end < frame.byteLength; count++) {
    if (count === extensionsMax) return end
    const start = end
    end += extensionBytes(frame, next, start)
    if (next === fragment && (word(frame, start + 2) & 0xfff8) !== 0) return end
    next = byte(frame, start)
  }
  return transport(frame, next, end)
}

function extensionBytes(frame: DataView, kind: number, at: number): number {
  if (kind === fragment) return 8
  return kind === authentication ? (byte(frame, at + 1) + 2) * 4 : (byte(frame, at + 1) + 1) * 8
}

function transport(frame: DataView, protocol: number, at: number): number {
  if (protocol === tcp) return at + Math.max(20, (byte(frame, at + 12) >> 4) * 4)
  return at + (fixedHeaders.get(protocol) ?? 0)
}

function byte(frame: DataView, at: number): number {
  return at < frame.byteLength ? frame.getUint8(at) : 0
}

function word(frame: DataView, at: number): number {
  return (byte(frame, at) << 8) | byte(frame, at + 1)
}
