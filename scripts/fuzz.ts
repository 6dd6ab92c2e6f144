// npm run fuzz: bytes that others wrote, changed at random, put to each parser that reads them. In:
// test/fixtures/corpus, the examples and the seeds below; $FUZZ_SECONDS (default 30) for all
// parsers together, $FUZZ_SEED to repeat a run, names of parsers as arguments to choose. Out: how
// many inputs each parser read; for a crash the input and the seed, and exit code 1. A refusal that
// the parser's callers expect is no crash.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { parseSelector } from '../grammar/selector.ts'
import { readFileList } from '../src/agentapi/client/files.ts'
import { rangeOf } from '../src/agentapi/server/range.ts'
import { readExpression } from '../src/api/filterExpression.ts'
import { readGoDuration } from '../src/api/retina/duration.ts'
import { displayFlags } from '../src/api/retina/tcpdumpFlags.ts'
import { readSettings } from '../src/config/readSettings.ts'
import { readState, stateFileName } from '../src/files/stateFile.ts'
import { hasStoredShape } from '../src/files/stateSchema.ts'
import { readBytes, readSeconds, readWhen } from '../src/kubectl/option/quantity.ts'
import { readDocuments } from '../src/manifest/read.ts'
import { ExpectedError } from '../src/model/errors.ts'
import { BlockReader } from '../src/pcap/blockReader.ts'
import { fileHeader, fileTrailer, sectionOf } from '../src/pcap/fileHeader.ts'
import { blockTypes } from '../src/pcap/format.ts'
import { headersLength } from '../src/pcap/headersLength.ts'
import { recordsInOrder } from '../src/pcap/orderedRecords.ts'
import { readPacketBlocks } from '../src/pcap/packetBlocks.ts'
import { recordBytes, writeRecord } from '../src/pcap/record.ts'
import { RecordCounter } from '../src/pcap/recordCounter.ts'
import { scanFile } from '../src/pcap/scan.ts'
import { Merge } from '../src/stream/merge.ts'
import { countsIn } from '../src/stream/statistics.ts'
import { ethernet, ipv4, ipv6, numbered, tcp, udp } from '../test/support/pcap/frames.ts'
import { read } from '../test/support/repository.ts'

type Target = { readonly seeds: readonly Buffer[]; readonly run: (input: Buffer) => unknown }

const directory = mkdtempSync(join(tmpdir(), 'selcap-fuzz-'))
const linesOf = (name: string) => [
  ...read(`test/fixtures/corpus/${name}.txt`).trim().split('\n'),
  read(`test/fixtures/corpus/${name}.txt`),
]
const corpus = (name: string) => linesOf(name).map(line => Buffer.from(line))
const manifests = readdirSync(new URL('../examples', import.meta.url)).filter(name =>
  name.endsWith('.yaml'),
)
const frames = [
  ethernet({ type: 0x0800, body: ipv4({ protocol: 17, body: udp(numbered(1)) }) }),
  ethernet({
    tags: [{ tpid: 0x8100, id: 5 }],
    type: 0x86dd,
    body: ipv6({ nextHeader: 6, body: tcp(numbered(2)) }),
  }),
]
const statistics = {
  received: 9,
  dropped: 4,
  packets: 5,
  fromMs: 1_700_000_000_000,
  toMs: 1_700_000_001_000,
}
const facts = {
  snapLength: 262_144,
  interfaceName: 'cali1',
  endpoint: 'shop/web-0',
  capture: 'shop/web',
  node: 'node-0',
  filter: 'tcp',
}
const captures = (['pcap', 'pcapng'] as const).map(format => {
  const records = frames.map(bytes => {
    const record = {
      seconds: 1_700_000_000,
      microseconds: 1,
      bytes,
      original: bytes.length,
      droppedBefore: 0,
    }
    const out = Buffer.alloc(recordBytes(format, record))
    writeRecord(format, record, out, 0)
    return out
  })
  return Buffer.concat([
    fileHeader({ ...facts, format }),
    ...records,
    fileTrailer(format, statistics),
  ])
})
const text = (parse: (text: string) => unknown) => (input: Buffer) => parse(input.toString('utf8'))

const targets: Readonly<Record<string, Target>> = {
  selector: { seeds: corpus('selector'), run: text(parseSelector) },
  expression: {
    seeds: corpus('expression'),
    run: text(expression => refusable(() => readExpression(expression))),
  },
  quantity: {
    seeds: corpus('quantity'),
    run: text(quantity =>
      [readSeconds, readBytes, readWhen, readGoDuration].map(each =>
        refusable(() => each(quantity)),
      ),
    ),
  },
  range: { seeds: corpus('range'), run: text(header => rangeOf(header, 1_000)) },
  settings: {
    seeds: corpus('settings'),
    run: text(settings => refusable(() => readSettings({}, settings))),
  },
  manifest: {
    seeds: manifests.map(name => Buffer.from(read(`examples/${name}`))),
    run: text(manifest => readDocuments(manifest, 'a.yaml')),
  },
  state: {
    seeds: corpus('state'),
    run: input => readState(written(stateFileName, input).directory),
  },
  rows: { seeds: corpus('state'), run: text(rows) },
  listing: {
    seeds: corpus('listing'),
    run: text(answer => refusable(() => readFileList(parsed(answer)))),
  },
  flags: {
    seeds: corpus('flags'),
    run: text(options => refusable(() => displayFlags(Object(parsed(options))))),
  },
  statistics: {
    seeds: captures.flatMap(capture => blocksOf(capture, blockTypes.statistics)),
    run: input => (input.length >= 24 ? countsIn(input) : undefined),
  },
  frame: { seeds: frames, run: input => inRange(headersLength(input), input) },
  blocks: { seeds: captures, run: input => inPieces(input, new BlockReader()) },
  records: { seeds: captures, run: input => inPieces(input, countingReader()) },
  scan: { seeds: captures, run: scan },
  packets: {
    seeds: captures,
    run: input => drained(readPacketBlocks(written('a.pcap', input).path)),
  },
  ordered: {
    seeds: captures,
    run: input => drained(recordsInOrder([written('a.pcap', input).path])),
  },
  merge: { seeds: captures, run: merge },
}

/** What the statistics of a stored capture's files are made of. */
function rows(json: string): void {
  const state: unknown = parsed(json)
  if (!hasStoredShape(state)) return
  for (const { active } of state.rows)
    if (active)
      fileTrailer('pcapng', { ...active, fromMs: active.beganAtMs, toMs: state.savedAtMs })
}

/** undefined: no JSON. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function blocksOf(capture: Buffer, type: number): Buffer[] {
  if (capture.readUInt32LE(0) !== blockTypes.section) return []
  return new BlockReader().read(capture).blocks.filter(block => block.readUInt32LE(0) === type)
}

function countingReader(): { readonly read: (chunk: Buffer) => unknown } {
  const counter = new RecordCounter()
  return { read: chunk => counter.take(chunk) }
}

function inPieces(input: Buffer, reader: { read: (chunk: Buffer) => unknown }): void {
  for (let at = 0; at < input.length; at += 13) reader.read(input.subarray(at, at + 13))
}

function inRange(length: number, frame: Buffer): void {
  if (!(length >= 0 && length <= Math.max(frame.length, 65_535)))
    throw new Error(`headers of ${length} bytes in ${frame.length}`)
}

function written(
  name: string,
  bytes: Buffer,
): { readonly directory: string; readonly path: string } {
  writeFileSync(join(directory, name), bytes)
  return { directory, path: join(directory, name) }
}

async function scan(input: Buffer): Promise<void> {
  await using file = await open(written('a.pcap', input).path, 'r')
  await scanFile(file)
}

function merge(input: Buffer): void {
  const merged = new Merge(sectionOf(''))
  const one = merged.join()
  merged.push(one, Buffer.from(input), 0)
  merged.end(one, 1)
  merged.take(1_000)
}

async function drained(items: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _ of items);
  } catch (error) {
    if (!isRefusal(error)) throw error
  }
}

function refusable(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}

function isRefusal(error: unknown): boolean {
  return (
    error instanceof ExpectedError ||
    error instanceof RangeError ||
    (error instanceof Error && error.name === 'CommanderError') ||
    isCommander(error)
  )
}

function isCommander(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'commander.invalidArgument'
}

const change = fc.record({
  kind: fc.constantFrom('number', 'set', 'insert', 'remove', 'repeat', 'cut'),
  at: fc.nat(100_000),
  // The least and the greatest numbers of every size come as often as all others.
  bytes: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 8 }),
    fc
      .tuple(fc.constantFrom(1, 2, 4, 8), fc.constantFrom(0x00, 0x7f, 0x80, 0xff))
      .map(([length, value]) => new Uint8Array(length).fill(value)),
    fc
      .constantFrom('-1', '1.5', '1e300', '9007199254740993', 'null', '""', '[]', '{}')
      .map(value => Buffer.from(value)),
  ),
})

function changed(
  seed: Buffer,
  changes: readonly { kind: string; at: number; bytes: Uint8Array }[],
): Buffer {
  return changes.reduce((input, { kind, at: anywhere, bytes }) => {
    const at = input.length === 0 ? 0 : anywhere % input.length
    const [head, tail] = [input.subarray(0, at), input.subarray(at)]
    if (kind === 'number') return withNumber(input, anywhere)
    if (kind === 'insert') return Buffer.concat([head, bytes, tail])
    if (kind === 'remove') return Buffer.concat([head, tail.subarray(bytes.length)])
    if (kind === 'repeat') return Buffer.concat([head, tail.subarray(0, 64), tail])
    if (kind === 'cut') return head
    return Buffer.concat([head, bytes, tail.subarray(bytes.length)])
  }, seed)
}

const unlikely = [
  '-1',
  '1.5',
  '1e300',
  '9007199254740993',
  '18446744073709551615',
  'null',
  '""',
  '[]',
]

/** One of the numbers of a text becomes one that hardly anybody writes. */
function withNumber(input: Buffer, choice: number): Buffer {
  const found = [...input.toString('latin1').matchAll(/\d+/g)]
  const number = found[choice % found.length]
  if (!number) return input
  const value = unlikely[Math.floor(choice / found.length) % unlikely.length] ?? ''
  return Buffer.concat([
    input.subarray(0, number.index),
    Buffer.from(value),
    input.subarray(number.index + number[0].length),
  ])
}

const chosen = process.argv.slice(2)
const names = Object.keys(targets).filter(name => chosen.length === 0 || chosen.includes(name))
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31))
const limitMs = (Number(process.env.FUZZ_SECONDS ?? 30) * 1_000) / names.length
process.stdout.write(`Seed ${seed}: FUZZ_SEED=${seed} npm run fuzz\n`)
for (const name of names) {
  const { seeds, run } = targets[name] as Target
  const input = fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 6 }))
        .map(([from, changes]) => changed(from, changes)),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)) },
  )
  let count = 0
  const property = fc.asyncProperty(input, async bytes => {
    count++
    await run(Buffer.from(bytes))
  })
  const found = await fc.check(property, {
    seed,
    numRuns: 1e9,
    interruptAfterTimeLimit: limitMs,
    markInterruptAsFailure: false,
  })
  process.stdout.write(
    `${name.padEnd(12)} ${String(count).padStart(9)} inputs${found.failed ? ', CRASHED' : ''}\n`,
  )
  if (!found.failed) continue
  const bytes = found.counterexample?.[0] ?? Buffer.alloc(0)
  const stack =
    found.errorInstance instanceof Error ? found.errorInstance.stack : String(found.errorInstance)
  process.stdout.write(
    `  seed ${seed}, base64 ${Buffer.from(bytes).toString('base64')}\n  ${stack}\n`,
  )
  process.exitCode = 1
}
rmSync(directory, { recursive: true })
