// Capture files for tests of archives: real pcap files, written with selcap's own header, of
// packets that tcpdump can read.
import { writeFileSync } from 'node:fs'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'

/** An ICMP echo request from 10.0.0.1 to 10.0.0.2 with this sequence number. */
function echo(sequence: number): Buffer {
  const ethernet = Buffer.from('0200000000020200000000010800', 'hex')
  const ip = Buffer.from('4500001c000100004001000a0a0000010a000002', 'hex')
  const icmp = Buffer.alloc(8)
  icmp[0] = 8
  icmp.writeUInt16BE(sequence, 6)
  return Buffer.concat([ethernet, ip, icmp])
}

/** Writes the packets a second apart. Returns the file's bytes. */
export function writeCapture(path: string, sequences: readonly number[]): Buffer {
  const header = fileHeader({
    format: 'pcap',
    snapLength: 262_144,
    interfaceName: 'cali1',
    endpoint: 'web',
    capture: 'shop/trace',
    node: 'node-1',
    filter: '',
  })
  const records = sequences.map((sequence, index) => {
    const packet = echo(sequence)
    const head = Buffer.alloc(16)
    head.writeUInt32LE(1_700_000_000 + index, 0)
    head.writeUInt32LE(packet.length, 8)
    head.writeUInt32LE(packet.length, 12)
    return Buffer.concat([head, packet])
  })
  const bytes = Buffer.concat([header, ...records])
  writeFileSync(path, bytes)
  return bytes
}
