// Contract: `payload: Headers` keeps what src/pcap/headersLength.ts says, on rows written by hand
// and on generated frames.
import fc from 'fast-check'
import { headersLength } from '../../../../src/pcap/headersLength.ts'
import { ethernet, extension, ipv4, ipv6, numbered, numberOf, tcp, udp } from '../../pcap/frames.ts'
import { Capture } from '../capture.ts'
import { makePod } from '../pod.ts'
import { makeSender } from '../sender.ts'
import type { Check } from './contract.ts'

const data = numbered(1, 200)
const tags = [
  { tpid: 0x88a8, id: 1 },
  { tpid: 0x8100, id: 2 },
]
/** Frames and how many of their bytes are kept. */
const rows: readonly (readonly [Buffer, number])[] = [
  [ethernet({ type: 0x0800, body: ipv4({ protocol: 17, body: udp(data) }) }), 14 + 20 + 8],
  [
    ethernet({
      type: 0x0800,
      body: ipv4({ protocol: 6, optionBytes: 12, body: tcp(data, { optionBytes: 20 }) }),
    }),
    14 + 32 + 40,
  ],
  [
    ethernet({ tags, type: 0x0800, body: ipv4({ protocol: 6, body: tcp(data) }) }),
    14 + 8 + 20 + 20,
  ],
  [
    ethernet({ type: 0x0800, body: ipv4({ protocol: 17, fragmentOffset: 100, body: data }) }),
    14 + 20,
  ],
  [ethernet({ type: 0x86dd, body: ipv6({ nextHeader: 6, body: tcp(data) }) }), 14 + 40 + 20],
  [
    ethernet({
      type: 0x86dd,
      body: ipv6({ nextHeader: 0, body: extension(60, 0, extension(17, 2, udp(data))) }),
    }),
    14 + 40 + 8 + 24 + 8,
  ],
  [ethernet({ type: 0x0800, body: ipv4({ protocol: 253, body: data }) }), 14 + 20],
  [ethernet({ type: 0x0806, body: Buffer.concat([Buffer.alloc(28, 1), data]) }), 14 + 28],
  [ethernet({ type: 0x88b5, body: data }), 14],
]

// Bytes that look like headers more often than chance would have it.
const telling = fc.constantFrom(0, 1, 4, 6, 17, 43, 44, 50, 51, 58, 59, 60, 132, 135, 136, 139, 140)
const extensionChain = fc
  .array(fc.tuple(telling, fc.integer({ min: 0, max: 3 })), { maxLength: 20 })
  .map(chained)
// From 8 bytes on: the kernel throws a tagged frame away that has nothing after its tag.
const anyBytes = fc.uint8Array({ minLength: 8, maxLength: 120 }).map(bytes => Buffer.from(bytes))
const body4 = fc.record({
  protocol: telling,
  optionBytes: fc.constantFrom(0, 4, 40),
  fragmentOffset: fc.constantFrom(0, 0, 0, 7),
  body: anyBytes,
})
const body6 = fc
  .tuple(telling, fc.oneof(extensionChain, anyBytes))
  .map(([nextHeader, body]) => ipv6({ nextHeader, body }))
const anyTags = fc.array(
  fc.record({
    tpid: fc.constantFrom(0x8100, 0x88a8, 0x9100),
    id: fc.integer({ min: 1, max: 4_094 }),
  }),
  {
    maxLength: 4,
  },
)
const frame = fc.oneof(
  fc
    .tuple(anyTags, body4)
    .map(([tags, body]) => ethernet({ tags, type: 0x0800, body: ipv4(body) })),
  fc.tuple(anyTags, body6).map(([tags, body]) => ethernet({ tags, type: 0x86dd, body })),
  fc
    .tuple(anyTags, fc.constantFrom(0x0800, 0x86dd, 0x88b5), anyBytes)
    .map(([tags, type, body]) => ethernet({ tags, type, body })),
)

export function headerChecks(check: Check): void {
  check(
    'open() writes nothing after the transport header when the payload is Headers',
    async (t, driver) => {
      const written = await keptOf(
        t,
        driver,
        rows.map(([bytes]) => bytes),
      )
      t.deepEqual(written.map(({ bytes, original }) => [bytes.length, original]), rows.map(([bytes, kept]) => [kept, bytes.length])) // biome-ignore format: one line
      t.true(written.every(({ bytes }) => numberOf(bytes) === undefined))
    },
  )

  check(
    'open() keeps what headersLength() says of generated frames when the payload is Headers',
    async (t, driver) => {
      const seed = Date.now()
      const frames = fc.sample(frame, { numRuns: 2_000, seed })
      const written = await keptOf(t, driver, frames)
      const rows = frames.map((bytes, index) => ({
        hex: bytes.toString('hex'),
        expected: headersLength(bytes),
        kept: written[index]?.bytes.length,
      }))
      const wrong = rows.filter(({ expected, kept }) => kept !== expected)
      t.deepEqual(wrong.slice(0, 5), [], `seed ${seed}, ${wrong.length} frames`)
    },
  )

  check('open() keeps the shorter of headers and snap length', async (t, driver) => {
    const written = await keptOf(
      t,
      driver,
      rows.map(([bytes]) => bytes),
      40,
    )
    t.deepEqual(written.map(({ bytes, original }) => [bytes.length, original]), rows.map(([bytes, kept]) => [Math.min(40, kept), bytes.length])) // biome-ignore format: one line
  })
}

type Test = Parameters<Parameters<Check>[1]>

async function keptOf(
  t: Test[0],
  driver: Test[1],
  frames: readonly Buffer[],
  snapLength = 262_144,
) {
  const pod = await makePod(t)
  const sender = await makeSender(t, pod.namespace)
  const capture = await Capture.open(t, driver, {
    interfaceName: pod.hostName,
    payload: 'Headers',
    snapLength,
  })
  await sender.frames('eth0', frames)
  await capture.holds(frames.length)
  await capture.close()
  return capture.records()
}

/** Extension headers after one another: each names the next one's kind and its own length. */
function chained(kinds: readonly (readonly [number, number])[]): Buffer {
  return kinds.reduceRight((body: Buffer, [next, more]) => extension(next, more, body), udp(data))
}
