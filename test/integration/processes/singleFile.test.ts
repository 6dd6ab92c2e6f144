// One file of many: what was written in plain code is what stands in it, whatever its form.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeSingleFile } from '../../../src/artifacts/singleFile.ts'
import type { SingleFile } from '../../../src/model/artifact.ts'
import type { ArtifactJob } from '../../../src/model/decision.ts'
import { ethernet, ipv4, numbered, udp } from '../../support/pcap/frames.ts'
import { type Packet, packetsIn, pcapFile } from '../../support/pcap/pcap.ts'

const began = Date.parse('2026-11-21T10:00:05.400Z')
const data = (number: number) =>
  ethernet({ type: 0x0800, body: ipv4({ protocol: 17, body: udp(numbered(number)) }) })
const packet = (index: number): Packet => ({
  atUs: began * 1_000 + index * 10,
  original: data(index).length,
  data: data(index),
})

/** Packets dealt out to that many files. */
function stage(t: ExecutionContext, count: number, files = 3) {
  const root = mkdtempSync(join(tmpdir(), 'selcap-single-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const folder = join(root, 'work')
  mkdirSync(folder)
  const packets = Array.from({ length: count }, (_, index) => packet(index))
  const fileNames = Array.from({ length: files }, (_, file) => `lo${file}_lo${file}.pcap`)
  for (const [file, name] of fileNames.entries())
    writeFileSync(join(folder, name), pcapFile(packets.filter((_, at) => at % files === file)))
  const capture = {
    api: 'PacketCaptureConfig',
    namespace: '',
    name: 'ip-capture',
    uid: 'u',
  } as const
  const facts = {
    key: 'networking.packet.io/ip-capture',
    uid: 'u',
    firstOpenedAtMs: began,
    fileNames,
    fileBytes: 0,
    endpoints: new Map(),
  }
  const printed: string[] = []
  const stop = new AbortController()
  const make = (
    form: SingleFile['form'],
    bytesMax = 10_000_000,
    made?: ArtifactJob['facts']['artifact'],
  ) => {
    const artifact: SingleFile = {
      kind: 'SingleFile',
      form,
      directory: join(root, 'out'),
      bytesMax,
    }
    const job: ArtifactJob = {
      key: facts.key,
      capture,
      artifact,
      facts: made ? { ...facts, artifact: made } : facts,
    }
    const print = async (text: string) => void printed.push(text)
    return makeSingleFile(job, artifact, { folder, print, nowMs: 5, signal: stop.signal })
  }
  return { make, packets, printed, stop, out: join(root, 'out') }
}

test('makeSingleFile() puts the packets of all interfaces into one file, by time', async t => {
  const { make, packets, out } = stage(t, 100)
  const path = join(out, 'ip-capture-20261121-100005.pcap')
  const made = await make('pcap')
  t.deepEqual(made, { atMs: 5, files: [{ path, bytes: statSync(path).size }], attempts: 1 })
  t.deepEqual(packetsIn(readFileSync(path)), packets)
  t.is(statSync(path).mode & 0o777, 0o640)
  t.deepEqual(readdirSync(out), ['ip-capture-20261121-100005.pcap'])
})

test('makeSingleFile() makes the same file when it is asked again', async t => {
  const { make, out } = stage(t, 10)
  const first = await make('pcap')
  t.deepEqual(await make('pcap'), first)
  t.is(readdirSync(out).length, 1)
})

test('makeSingleFile() makes a file that opens when nothing was captured', async t => {
  const { make } = stage(t, 0)
  const { files } = await make('pcap')
  t.deepEqual(packetsIn(readFileSync(files[0]?.path ?? '')), [])
})

test('makeSingleFile() makes text with one line a packet', async t => {
  const { make, packets, out } = stage(t, 50)
  const { files } = await make('text')
  t.is(files[0]?.path, join(out, 'ip-capture-20261121-100005.txt'))
  const lines = readFileSync(files[0]?.path ?? '', 'utf8')
    .trimEnd()
    .split('\n')
  t.is(lines.length, packets.length)
  t.regex(lines[1] ?? '', /^2026-11-21 10:00:05\.400010 IP \S+ > \S+: UDP, length \d+, \d+ bytes$/)
})

test('makeSingleFile() prints the lines after PACKET: and makes no file', async t => {
  const { make, printed, out } = stage(t, 50)
  t.deepEqual(await make('stdout'), { atMs: 5, files: [], attempts: 1 })
  const lines = printed.join('').trimEnd().split('\n')
  t.is(lines.length, 50)
  t.true(lines.every(line => /^PACKET: 2026-11-21 10:00:05\.\d{6} IP .* bytes$/.test(line)))
  t.false(existsSync(out))
})

for (const form of ['pcap', 'text'] as const) {
  test(`makeSingleFile() never makes a file longer than its limit, and tells what found no place (${form})`, async t => {
    const { make } = stage(t, 100)
    const { files, note } = await make(form, 2_000)
    const bytes = statSync(files[0]?.path ?? '').size
    t.true(bytes <= 2_000 && bytes > 1_800, String(bytes))
    t.regex(note ?? '', /^\d+ packets found no place in 2000 bytes$/)
  })
}

test('makeSingleFile() tells what failed, counts its attempts and leaves no part behind', async t => {
  const { make, out } = stage(t, 10)
  writeFileSync(out, 'a file where the directory should be')
  const failed = await make('pcap')
  t.like(failed, { files: [], attempts: 1 })
  t.regex(failed.error ?? '', /EEXIST|ENOTDIR/)
  t.like(await make('pcap', 10_000_000, failed), { attempts: 2 })
  rmSync(out)
  t.is((await make('pcap', 10_000_000, failed)).error, undefined)
})

test('makeSingleFile() stops when it is told to, and leaves nothing behind', async t => {
  const { make, stop, out } = stage(t, 1_000)
  stop.abort()
  t.regex((await make('pcap')).error ?? '', /selcap is stopping/)
  t.deepEqual(readdirSync(out), [])
  chmodSync(out, 0o750)
})
