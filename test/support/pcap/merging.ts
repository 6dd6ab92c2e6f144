// A merge in a test, with what was taken of it so far.
import { sectionOf } from '../../../src/pcap/fileHeader.ts'
import { Merge, type MergeLimits } from '../../../src/stream/merge.ts'
import type { MergeInput } from '../../../src/stream/mergeInput.ts'
import { header, packetBlock, readStream } from './pcapng.ts'

const second = 1_000_000_000n

/** A merge with what was taken of it so far; the time is `nowMs`. */
export class Merging {
  readonly merge: Merge
  readonly taken: Buffer[] = []
  nowMs = 1_000_000

  constructor(limits: Partial<MergeLimits> = {}) {
    this.merge = new Merge(sectionOf('merged'), limits)
  }

  join(name: string): MergeInput {
    const lane = this.merge.join()
    this.push(lane, header(name))
    return lane
  }

  push(lane: MergeInput, ...blocks: Buffer[]): string | undefined {
    return this.merge.push(lane, Buffer.concat(blocks), this.nowMs)
  }

  end(lane: MergeInput): void {
    this.merge.end(lane, this.nowMs)
  }

  take(): number {
    const bytes = this.merge.take(this.nowMs)
    this.taken.push(bytes)
    return bytes.length
  }

  get read() {
    return readStream(Buffer.concat(this.taken))
  }

  /** Seconds of the packets that were taken, with their interface's number. */
  get order(): string[] {
    return this.read.packets.map(packet => `${packet.interface}:${packet.atNs / second}`)
  }
}

/** A packet at so many seconds. */
export const at = (seconds: number, number = 0) =>
  packetBlock(BigInt(seconds) * second, Buffer.alloc(60), { number })
