// An interface's counts within a pcapng stream. Wireshark and capinfos show isb_ifdrop as dropped packets, so all that is
// missing from the stream stands there, wherever it was lost: received = delivered + dropped.
import { countBytes, makeBlock, option, timestampBytes } from '../pcap/block.ts'
import { blockTypes } from '../pcap/format.ts'
import { type InterfaceCounts, lostBy, type MergedInterface, receivedBy } from './mergeInput.ts'

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

/** What a statistics block says; files have the dropped packets in isb_osdrop. */
export function countsIn(block: Buffer): InterfaceCounts {
  const values = new Map(optionsOf(block, 20).map(({ code, value }) => [code, value]))
  const number = (code: number) => {
    const value = values.get(code)
    return value?.length === 8 ? Number(value.readBigUInt64LE()) : undefined
  }
  return { received: number(codes.received) ?? 0, lost: number(codes.dropped) ?? number(codes.droppedBySystem) ?? 0 }
}

/** if_tsresol of an interface block: 6, microseconds, where it says nothing. */
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
