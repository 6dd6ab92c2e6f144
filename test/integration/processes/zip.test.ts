// The zip by itself: what it holds when agents break off, send too much or nothing, or the reader
// goes. Unpacked by another program.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { type ManifestFile, type ZipEntry, zipOf } from '../../../src/gateway/zip.ts'
import { until } from '../../support/until.ts'

const entry = (
  file: string,
  text: string,
  source: () => Readable = () => Readable.from([Buffer.from(text)]),
): ZipEntry => ({
  node: 'node-1',
  file,
  bytes: text.length,
  isActive: false,
  open: async () => source(),
})

type Unzipped = {
  readonly files: readonly ManifestFile[]
  readonly missing: readonly string[]
  read(path: string): string
}

async function unzipped(t: ExecutionContext, entries: readonly ZipEntry[]): Promise<Unzipped> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-zip-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { stream, missing } = zipOf(entries, { name: 'web' }, [])
  writeFileSync(join(directory, 'a.zip'), await buffer(stream))
  execFileSync('python3', ['-m', 'zipfile', '-e', 'a.zip', 'out'], { cwd: directory })
  const read = (path: string) => readFileSync(join(directory, 'out', path), 'utf8')
  return { files: JSON.parse(read('manifest.json')).files, missing: await missing, read }
}

test('zipOf() holds each file, and says what it is', async t => {
  const { files, missing, read } = await unzipped(t, [entry('a.pcap', 'aaa'), entry('b.pcap', '')])
  t.deepEqual([read('node-1/a.pcap'), read('node-1/b.pcap')], ['aaa', ''])
  const sha256 = createHash('sha256').update('aaa').digest('hex')
  t.deepEqual(files[0], {
    node: 'node-1',
    file: 'a.pcap',
    bytes: 3,
    sha256,
    active: false,
    complete: true,
  })
  t.deepEqual(missing, [])
})

test('zipOf() goes on when there is nothing, or nothing can be had', async t => {
  t.deepEqual((await unzipped(t, [])).files, [])
  const gone: ZipEntry = {
    ...entry('a.pcap', 'aaa'),
    open: async () => Promise.reject(new Error('refused')),
  }
  const { files, missing, read } = await unzipped(t, [gone, entry('b.pcap', 'bbb')])
  t.like(files[0], { bytes: 0, complete: false, error: 'refused' })
  t.is(read('node-1/b.pcap'), 'bbb')
  t.deepEqual(missing, ['node-1'])
})

for (const [what, source, held] of [
  ['breaks off', () => Readable.from(broken()), 'aa'],
  ['ends too soon', () => Readable.from([Buffer.from('aa')]), 'aa'],
  [
    'sends more than it listed',
    () => Readable.from([Buffer.from('aa'), Buffer.from('aXX'), Buffer.from('XX')]),
    'aaa',
  ],
] as const) {
  test(`zipOf() keeps what came of a file whose agent ${what}, and says so`, async t => {
    const { files, missing, read } = await unzipped(t, [
      entry('a.pcap', 'aaa', source),
      entry('b.pcap', 'bbb'),
    ])
    t.is(read('node-1/a.pcap'), held)
    t.like(files[0], {
      bytes: held.length,
      complete: false,
      sha256: createHash('sha256').update(held).digest('hex'),
    })
    t.deepEqual([read('node-1/b.pcap'), files[1]?.complete, missing], ['bbb', true, ['node-1']])
  })
}

async function* broken() {
  yield Buffer.from('aa')
  throw new Error('connection lost')
}

test('zipOf() takes no more from an agent than the reader takes, and lets go of it when the reader goes', async t => {
  const chunk = Buffer.alloc(65_536)
  let [given, isOpen] = [0, true]
  const source = new Readable({
    read() {
      given += chunk.length
      this.push(chunk)
    },
    destroy(error, done) {
      isOpen = false
      done(error)
    },
  })
  const endless = {
    ...entry('a.pcap', ''),
    bytes: Number.MAX_SAFE_INTEGER,
    open: async () => source,
  }
  let opened = 0
  const next = { ...entry('b.pcap', ''), open: async () => Readable.from([opened++]) }
  const { stream, missing } = zipOf([endless, next], {}, [])
  await once(stream, 'readable')
  await until('the source to be held up', () => {
    const before = given
    return new Promise(resolve => setImmediate(() => resolve(given === before)))
  })
  t.true(given < 2_000_000, `${given} bytes`)
  stream.destroy()
  t.deepEqual(await missing, ['node-1'])
  t.deepEqual([isOpen, opened], [false, 0])
})

test('zipOf() holds nothing of what went through', async t => {
  const chunk = Buffer.alloc(16_384)
  async function* many() {
    for (let sent = 0; sent < 20_000; sent++) yield chunk
  }
  const big = {
    ...entry('a.pcap', ''),
    bytes: 20_000 * chunk.length,
    open: async () => Readable.from(many()),
  }
  const { stream } = zipOf([big], {}, [])
  let [bytes, heapMax] = [0, 0]
  const heapBefore = process.memoryUsage().heapUsed
  for await (const part of stream as AsyncIterable<Buffer>) {
    bytes += part.length
    heapMax = Math.max(heapMax, process.memoryUsage().heapUsed - heapBefore)
  }
  t.true(bytes > 20_000 * chunk.length)
  t.true(heapMax < 100_000_000, `${heapMax} bytes more`)
})
