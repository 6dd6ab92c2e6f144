// Whatever comes in whatever pieces, at whatever pace it is taken: every packet is in the stream or
// counted as dropped, each interface keeps its order, no more is held than is allowed; and with an
// unlimited window the whole stream is in time order.
import test from 'ava'
import fc from 'fast-check'
import { BlockReader } from '../../../src/pcap/blockReader.ts'
import { sectionOf } from '../../../src/pcap/fileHeader.ts'
import { Merge } from '../../../src/stream/merge.ts'
import { header, packetBlock, readStream } from '../../support/pcap/pcapng.ts'
import { runs } from '../../support/runs.ts'

const gaps = fc.array(fc.nat(50), { minLength: 1, maxLength: 40 }) // between the packets of an input
const size = fc.constantFrom(1, 59, 60, 61, 1_400)
const inputs = fc.array(fc.record({ gaps, size }), { minLength: 1, maxLength: 5 })
const steps = fc.array(
  fc.record({
    input: fc.nat(4),
    bytes: fc.integer({ min: 1, max: 3_000 }),
    waitMs: fc.nat(300),
    takes: fc.boolean(),
  }),
  {
    maxLength: 80,
  },
)

function bytesOf(
  index: number,
  input: { readonly gaps: readonly number[]; readonly size: number },
): Buffer {
  const seconds = input.gaps.map((_, last) =>
    input.gaps.slice(0, last + 1).reduce((sum, gap) => sum + gap, 0),
  )
  const packets = seconds.map(each =>
    packetBlock(BigInt(each) * 1_000_000_000n, Buffer.alloc(input.size, index)),
  )
  return Buffer.concat([header(`cali${index}`), ...packets])
}

type Plan = {
  readonly inputs: readonly { gaps: number[]; size: number }[]
  readonly steps: readonly Step[]
}
type Step = {
  readonly input: number
  readonly bytes: number
  readonly waitMs: number
  readonly takes: boolean
}

/** Pushes in steps, the rest at the end; returns all that was taken, and the most that was held. */
function run(
  { inputs: given, steps: wanted }: Plan,
  merge: Merge,
): { readonly stream: Buffer; readonly heldMost: number } {
  const lanes = given.map((input, index) => ({
    lane: merge.join(),
    bytes: bytesOf(index, input),
    at: 0,
  }))
  const taken: Buffer[] = []
  let [nowMs, heldMost] = [0, 0]
  for (const { input, bytes, waitMs, takes } of wanted) {
    const each = lanes[input % lanes.length]
    if (!each) continue
    nowMs += waitMs
    const problem = merge.push(
      each.lane,
      Buffer.from(each.bytes.subarray(each.at, each.at + bytes)),
      nowMs,
    )
    if (problem) throw new Error(problem)
    each.at += bytes
    heldMost = Math.max(heldMost, merge.heldBytes)
    if (takes) taken.push(merge.take(nowMs))
  }
  for (const { lane, bytes, at } of lanes) {
    merge.push(lane, Buffer.from(bytes.subarray(at)), nowMs)
    heldMost = Math.max(heldMost, merge.heldBytes)
    merge.end(lane, nowMs)
  }
  while (!merge.isEmpty) taken.push(merge.take(nowMs))
  return { stream: Buffer.concat(taken), heldMost }
}

test('Merge delivers or counts every packet, in the order of its interface, within its memory', t => {
  fc.assert(
    fc.property(inputs, steps, fc.constantFrom(300, 2_000, 20_000), (given, wanted, bytesMax) => {
      const merge = new Merge(sectionOf(''), { windowMs: 400, windowBytes: bytesMax / 2, bytesMax })
      const { stream, heldMost } = run({ inputs: given, steps: wanted }, merge)
      const { interfaces, packets, statistics } = readStream(stream)
      t.true(heldMost <= bytesMax)
      t.is(interfaces.length, given.length)
      for (const [number, { name }] of interfaces.entries()) {
        const index = Number(name.slice(4))
        const own = packets.filter(packet => packet.interface === number)
        t.true(own.every(({ bytes }) => bytes.every(byte => byte === index)))
        t.true(own.every(({ atNs }, at) => at === 0 || (own[at - 1]?.atNs ?? 0n) <= atNs))
        const told = statistics.get(number)?.at(-1)
        t.is(told?.received, given[index]?.gaps.length)
        t.is(told?.delivered, own.length)
        t.is(told?.dropped, (given[index]?.gaps.length ?? 0) - own.length)
      }
    }),
    { numRuns: runs(300) },
  )
})

test('Merge gives all packets in time order when its window is wide enough', t => {
  fc.assert(
    fc.property(inputs, steps, (given, wanted) => {
      const merge = new Merge(sectionOf(''), { windowMs: 1e9 })
      const { packets } = readStream(run({ inputs: given, steps: wanted }, merge).stream)
      t.is(packets.length, given.reduce((sum, input) => sum + input.gaps.length, 0)) // biome-ignore format: one line
      t.true(
        packets.every(({ atNs }, index) => index === 0 || (packets[index - 1]?.atNs ?? 0n) <= atNs),
      )
    }),
    { numRuns: runs(300) },
  )
})

test('BlockReader gives the same blocks however the bytes are cut', t => {
  const bytes = bytesOf(0, { gaps: [1, 2, 3, 4, 5], size: 61 })
  const whole = new BlockReader().read(bytes).blocks
  t.is(whole.length, 7)
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 60 }),
      cuts => {
        const reader = new BlockReader()
        const ends = cuts.map((_, last) =>
          cuts.slice(0, last + 1).reduce((sum, cut) => sum + cut, 0),
        )
        const pieces = [0, ...ends].map((start, index) =>
          bytes.subarray(start, ends[index] ?? bytes.length),
        )
        t.deepEqual(
          pieces.flatMap(piece => [...reader.read(piece).blocks]),
          whole,
        )
        t.is(reader.rest.length, 0)
      },
    ),
  )
})
