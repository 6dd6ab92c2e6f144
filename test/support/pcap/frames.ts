// Frames byte by byte for tests: what sender.frames() sends, and how to know a captured packet
// again.
//   ethernet({ tags: [{ tpid: 0x8100, id: 5 }], type: 0x0800, body: ipv4({ protocol: 17, body: udp(numbered(1)) }) })
// Checksums of IPv4 headers are right, those of UDP are left out (0) and of TCP wrong: no stack is
// meant to take them.

/** The payload that sender.py sends too: a marker, the number, dots. */
export function numbered(number: number, bytes = 32): Buffer {
  const payload = Buffer.alloc(bytes, '.')
  payload.write('selcap')
  payload.writeUInt32BE(number, 6)
  return payload
}

/** The number in a frame that holds a numbered() payload; undefined in any other. */
export function numberOf(frame: Uint8Array): number | undefined {
  const at = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).indexOf('selcap')
  return at < 0 || at + 10 > frame.length ? undefined : Buffer.from(frame).readUInt32BE(at + 6)
}

export type Tag = { readonly tpid: number; readonly id: number; readonly priority?: number }
type Ethernet = {
  readonly to?: string
  readonly from?: string
  readonly tags?: readonly Tag[]
  readonly type: number
  readonly body: Uint8Array
}

export function ethernet({
  to = '02:00:00:00:00:01',
  from = '02:00:00:00:00:02',
  tags = [],
  type,
  body,
}: Ethernet): Buffer {
  const vlan = tags.flatMap(tag => [tag.tpid, ((tag.priority ?? 0) << 13) | tag.id])
  return Buffer.concat([macBytes(to), macBytes(from), words([...vlan, type]), body])
}

type Ipv4 = {
  readonly from?: string
  readonly to?: string
  readonly protocol: number
  readonly optionBytes?: number // a multiple of 4
  readonly fragmentOffset?: number // in units of 8 bytes
  readonly moreFragments?: boolean
  readonly body: Uint8Array
}

export function ipv4({
  from = '192.0.2.1',
  to = '192.0.2.2',
  protocol,
  optionBytes = 0,
  fragmentOffset = 0,
  moreFragments = false,
  body,
}: Ipv4): Buffer {
  const header = Buffer.alloc(20 + optionBytes, 1) // options: all "no operation"
  header.writeUInt8(0x40 | (header.length / 4), 0)
  header.writeUInt8(0, 1)
  header.writeUInt16BE(header.length + body.length, 2)
  header.writeUInt16BE(0x5e1c, 4)
  header.writeUInt16BE((moreFragments ? 0x2000 : 0) | fragmentOffset, 6)
  header.writeUInt8(64, 8)
  header.writeUInt8(protocol, 9)
  header.writeUInt16BE(0, 10)
  header.set([...from.split('.').map(Number), ...to.split('.').map(Number)], 12)
  header.writeUInt16BE(checksum(header), 10)
  return Buffer.concat([header, body])
}

type Ipv6 = { readonly nextHeader: number; readonly body: Uint8Array }

/** From 2001:db8::1 to 2001:db8::2. Extension headers are part of the body: extension(). */
export function ipv6({ nextHeader, body }: Ipv6): Buffer {
  const header = Buffer.alloc(40)
  header.writeUInt32BE(0x60000000, 0)
  header.writeUInt16BE(body.length, 4)
  header.writeUInt8(nextHeader, 6)
  header.writeUInt8(64, 7)
  header.set([0x20, 0x01, 0x0d, 0xb8], 8)
  header.set([0x20, 0x01, 0x0d, 0xb8], 24)
  header.writeUInt8(1, 23)
  header.writeUInt8(2, 39)
  return Buffer.concat([header, body])
}

/** An extension header of 8 × (1 + more) bytes: hop-by-hop, routing, destination options. */
export function extension(nextHeader: number, more: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(8 + 8 * more)
  header.set([nextHeader, more])
  return Buffer.concat([header, body])
}

export function udp(body: Uint8Array, { fromPort = 4_000, toPort = 4_001 } = {}): Buffer {
  return Buffer.concat([words([fromPort, toPort, 8 + body.length, 0]), body])
}

export function tcp(
  body: Uint8Array,
  { fromPort = 4_000, toPort = 4_001, optionBytes = 0 } = {},
): Buffer {
  const header = Buffer.alloc(20 + optionBytes, 1)
  header.set(words([fromPort, toPort, 0, 1, 0, 1]))
  header.set([((20 + optionBytes) / 4) << 4, 0x18], 12)
  return Buffer.concat([header, body])
}

function words(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 2)
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, index * 2)
  return bytes
}

function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex')
}

function checksum(header: Buffer): number {
  const total = Array.from({ length: header.length / 2 }, (_, index) =>
    header.readUInt16BE(index * 2),
  ).reduce((sum, word) => sum + word, 0)
  const folded = (total & 0xffff) + (total >>> 16)
  return ~((folded & 0xffff) + (folded >>> 16)) & 0xffff
}
