// Writes and reads the statistics block of an interface in a pcapng stream. In: an interface's
// counts, or a block. Out: a block, or counts. Wireshark and capinfos show isb_ifdrop as dropped
// packets, so it has all packets missing from the stream, wherever they were lost: received =
// delivered + dropped.
import { countBytes, makeBlock, option, timestampBytes } from '../pcap/block.ts'
import { blockTypes } from '../pcap/format.ts'
import { type InterfaceCounts, lostBy, type MergedInterface, receivedBy } from './mergeInput.ts'

const countMax = BigInt(Number.MAX_SAFE_INTEGER)
const codes = { received: 4, dropped: 5, droppedBySystem: 7, delivered: 8 } as const

export function statisticsBlock(merged: MergedInterface, nowMs: number): Buffer {
  const body = Buffer.concat([Buffer.alloc(4), timestampBytes(nowMs)])
  body.writeUInt32LE(merged.id)
  return makeBlock(blockTypes.statistics, body, [
    option(codes.received, countBytes(receivedBy(merged))),
    option(codes.dropped, countBytes(lostBy(merged))),
    option(codes.delivered, countBytes(merged.delivered)),
  ])
}

/**
 * The counts of a statistics block, or a problem. Files have the dropped packets in isb_osdrop. A
 * count beyond the safe integers is no count of packets: its sums would exceed the 64 bits of a block.
 */
export function countsIn(block: Buffer): InterfaceCounts | string {
  const values = new Map(optionsOf(block, 20).map(({ code, value }) => [code, value]))
  const counts = [codes.received, codes.dropped, codes.droppedBySystem].map(code => {
    const value = values.get(code)
    return value?.length === 8 ? value.readBigUInt64LE() : undefined
  })
  const excessive = counts.find(count => count !== undefined && count > countMax)
  if (excessive !== undefined)
    return `a count of ${excessive} packets, expected at most ${countMax}`
  const [received, dropped, droppedBySystem] = counts.map(count =>
    count === undefined ? undefined : Number(count),
  )
  return { received: received ?? 0, lost: dropped ?? droppedBySystem ?? 0 }
}

/** if_tsresol of an interface block; 6, microseconds, if it is missing. */
export function timeResolutionOf(block: Buffer): number {
  return optionsOf(block, 16).find(({ code }) => code === 9)?.value[0] ?? 6
}

type Option = { readonly code: number; readonly value: Buffer }

function optionsOf(block: Buffer, from: number): Option[] {
  const options: Option[] = []
  const end = block.length - 4
  for (let at = from; at + 4 <= end; ) {
    const [code, length] = [block.readUInt16LE(at), block.readUInt16LE(at + 2)]
    if (code === 0 || at + 4 + length > end) break
    options.push({ code, value: block.subarray(at + 4, at + 4 + length) })
    at += 4 + ((length + 3) & ~3)
  }
  return options
}
