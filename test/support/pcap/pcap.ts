// pcap files in plain code: little-endian, microseconds, Ethernet.
export type Packet = { readonly atUs: number; readonly original: number; readonly data: Buffer }

const header = Buffer.from('d4c3b2a1020004000000000000000000' + '00000400' + '01000000', 'hex')

export function pcapFile(packets: readonly Packet[]): Buffer {
  return Buffer.concat([header, ...packets.map(recordOf)])
}

function recordOf({ atUs, original, data }: Packet): Buffer {
  const head = Buffer.alloc(16)
  head.writeUInt32LE(Math.floor(atUs / 1_000_000), 0)
  head.writeUInt32LE(atUs % 1_000_000, 4)
  head.writeUInt32LE(data.length, 8)
  head.writeUInt32LE(original, 12)
  return Buffer.concat([head, data])
}

export function packetsIn(file: Buffer): Packet[] {
  if (!file.subarray(0, 24).equals(header))
    throw new Error('Cannot read pcap file: its header is another')
  const packets: Packet[] = []
  for (let at = 24; at < file.length; ) {
    const captured = file.readUInt32LE(at + 8)
    const data = file.subarray(at + 16, at + 16 + captured)
    if (data.length < captured) throw new Error('Cannot read pcap file: it ends within a record')
    packets.push({
      atUs: file.readUInt32LE(at) * 1_000_000 + file.readUInt32LE(at + 4),
      original: file.readUInt32LE(at + 12),
      data,
    })
    at += 16 + captured
  }
  return packets
}
