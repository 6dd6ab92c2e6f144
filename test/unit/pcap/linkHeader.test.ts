// Link types of files, and packets of several link types in one file.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { fileHeader, type HeaderOptions } from '../../../src/pcap/fileHeader.ts'
import { linkTypeOfFile, withEthernetHeader } from '../../../src/pcap/linkHeader.ts'
import { recordsInOrder } from '../../../src/pcap/orderedRecords.ts'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'
import { ethernet, ipv4, ipv6, numbered, udp } from '../../support/pcap/frames.ts'

const facts: Omit<HeaderOptions, 'format'> = { snapLength: 262_144, interfaceName: 'tun0', endpoint: 'shop/web-0', capture: 'shop/web', node: 'node-0', filter: '' } // biome-ignore format: one line
const packet4 = ipv4({ protocol: 17, body: udp(numbered(1, 32)) })
const packet6 = ipv6({ nextHeader: 17, body: udp(numbered(2, 32)) })

function save(t: ExecutionContext, name: string, ...parts: readonly Buffer[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-link-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, name), Buffer.concat(parts))
  return join(directory, name)
}

function record(bytes: Buffer, seconds: number): Buffer {
  const packet = { seconds, microseconds: 0, original: bytes.length + 7, bytes, droppedBefore: 0 }
  const out = Buffer.alloc(recordBytes('pcap', packet))
  writeRecord('pcap', packet, out, 0)
  return out
}

for (const format of ['pcap', 'pcapng'] as const)
  for (const linkType of ['Ethernet', 'RawIp'] as const)
    test(`linkTypeOfFile() is ${linkType} for such a file (${format})`, async t => {
      const header = fileHeader({ ...facts, format, linkType })
      await using file = await open(save(t, 'a', header, record(packet4, 1)))
      t.is(await linkTypeOfFile(file), linkType)
    })

test('linkTypeOfFile() is Ethernet for a file without a whole header', async t => {
  await using file = await open(save(t, 'a', Buffer.alloc(10)))
  t.is(await linkTypeOfFile(file), 'Ethernet')
})

test('withEthernetHeader() puts a header of zeros with the type of the IP version before the packet', t => {
  for (const [packet, type] of [
    [packet4, 0x0800],
    [packet6, 0x86dd],
  ] as const) {
    // biome-ignore format: one line
    const made = withEthernetHeader(record(packet, 9))
    t.deepEqual(made.subarray(16 + 14), packet)
    t.is(made.readUInt16BE(16 + 12), type)
    t.is(made.readUInt32LE(8), packet.length + 14)
    t.is(made.readUInt32LE(12), packet.length + 14 + 7)
    t.is(made.readUInt32LE(0), 9)
  }
})

test('withEthernetHeader() is what recordsInOrder() uses for files of other link types', async t => {
  const frame = ethernet({ type: 0x0800, body: packet4 })
  const raw = save(t, 'raw', fileHeader({ ...facts, format: 'pcap', linkType: 'RawIp' }), record(packet4, 1), record(packet6, 3)) // biome-ignore format: one line
  const whole = save(t, 'whole', fileHeader({ ...facts, format: 'pcap' }), record(frame, 2))
  const found: [number, number, number][] = []
  for await (const { bytes, captured, seconds } of recordsInOrder([raw, whole]))
    found.push([seconds, bytes.readUInt16BE(16 + 12), captured])
  t.deepEqual(found, [[1, 0x0800, packet4.length + 14], [2, 0x0800, frame.length], [3, 0x86dd, packet6.length + 14]]) // biome-ignore format: one line
})
