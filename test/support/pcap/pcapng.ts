// Streams as tests write and read them, in plain code of their own: what a merge is given, and all
// that stands in what it gives.
import { interfaceBlock, sectionOf } from '../../../src/pcap/fileHeader.ts'

export type StreamPacket = {
  readonly interface: number
  readonly atNs: bigint
  readonly bytes: Buffer
}
export type StreamInterface = {
  readonly name: string
  readonly description: string
  readonly comment: string
  readonly filter: string
}
export type Counts = {
  readonly received: number
  readonly dropped: number
  readonly delivered: number
}
export type Read = {
  readonly sections: number
  readonly interfaces: readonly StreamInterface[]
  readonly packets: readonly StreamPacket[]
  readonly statistics: ReadonlyMap<number, readonly Counts[]> // by interface, in their order
}

/** Refuses what is not whole, and a block of an interface that was not told of before. */
export function readStream(stream: Buffer): Read {
  const [interfaces, packets, statistics]: [
    StreamInterface[],
    StreamPacket[],
    Map<number, Counts[]>,
  ] = [[], [], new Map()]
  let sections = 0
  for (let at = 0; at < stream.length; ) {
    const size = stream.readUInt32LE(at + 4)
    if (at + size > stream.length || stream.readUInt32LE(at + size - 4) !== size)
      throw new Error(`the block at ${at} is not whole`)
    const block = stream.subarray(at, at + size)
    at += size
    const type = block.readUInt32LE(0)
    if (type === 0x0a0d0d0a) sections++
    else if (type === 1) interfaces.push(interfaceIn(block))
    else {
      const number = block.readUInt32LE(8)
      if (number >= interfaces.length)
        throw new Error(
          `the block at ${at - size} is of interface ${number}, which was not told of`,
        )
      if (type === 6)
        packets.push({
          interface: number,
          atNs: timeIn(block),
          bytes: block.subarray(28, 28 + block.readUInt32LE(20)),
        })
      else if (type === 5)
        statistics.set(number, [...(statistics.get(number) ?? []), countsIn(block)])
      else throw new Error(`the block at ${at - size} is of type ${type}`)
    }
  }
  return { sections, interfaces, packets, statistics }
}

function timeIn(block: Buffer): bigint {
  return (BigInt(block.readUInt32LE(12)) << 32n) | BigInt(block.readUInt32LE(16))
}

function interfaceIn(block: Buffer): StreamInterface {
  const options = optionsIn(block, 16)
  const text = (code: number) => options.get(code)?.toString() ?? ''
  return { name: text(2), description: text(3), comment: text(1), filter: text(11).slice(1) }
}

function countsIn(block: Buffer): Counts {
  const options = optionsIn(block, 20)
  const number = (code: number) => Number(options.get(code)?.readBigUInt64LE() ?? Number.NaN)
  return { received: number(4), dropped: number(5), delivered: number(8) }
}

function optionsIn(block: Buffer, from: number): Map<number, Buffer> {
  const options = new Map<number, Buffer>()
  for (
    let at = from;
    block.readUInt16LE(at) !== 0;
    at += 4 + ((block.readUInt16LE(at + 2) + 3) & ~3)
  )
    options.set(block.readUInt16LE(at), block.subarray(at + 4, at + 4 + block.readUInt16LE(at + 2)))
  return options
}

export function header(interfaceName: string, endpoint = 'shop/web-0'): Buffer {
  return Buffer.concat([sectionOf('an input'), interfaceBlockFor(interfaceName, endpoint)])
}

export function interfaceBlockFor(interfaceName: string, endpoint = 'shop/web-0'): Buffer {
  return interfaceBlock(
    { snapLength: 262_144, interfaceName, endpoint, filter: 'udp' },
    'node node-0',
  )
}

/**
 * An enhanced packet block as the addon writes it: flags, and a count of drops where there were
 * any.
 */
export function packetBlock(
  atNs: bigint,
  bytes: Uint8Array = Buffer.alloc(60),
  { number = 0, drops = 0 } = {},
): Buffer {
  const padded = (bytes.length + 3) & ~3
  const size = 28 + padded + 8 + (drops > 0 ? 12 : 0) + 8
  const block = Buffer.alloc(size)
  const words = [
    6,
    size,
    number,
    Number(atNs >> 32n),
    Number(atNs & 0xffff_ffffn),
    bytes.length,
    bytes.length,
  ]
  for (const [index, word] of words.entries()) block.writeUInt32LE(word, index * 4)
  block.set(bytes, 28)
  block.set([2, 0, 4, 0, 1], 28 + padded)
  if (drops > 0) block.set([4, 0, 8, 0, drops], 36 + padded)
  block.writeUInt32LE(size, size - 4)
  return block
}
