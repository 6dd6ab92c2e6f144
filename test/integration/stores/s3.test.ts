// S3 against a real server, and what may go wrong on the way: objects come out whole, or the reason
// is told.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import type { S3Target } from '../../../src/model/output.ts'
import { openStore } from '../../../src/store/openStore.ts'
import type { RetryEffort, SecretValues } from '../../../src/store/store.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { mountDisk } from '../../support/net/smallDisk.ts'
import { startWire } from '../../support/stores/faultyProxy.ts'
import { putThroughKill } from '../../support/stores/killDuringUpload.ts'
import { bucket, s3Secret, s3Target, startS3 } from '../../support/stores/s3Server.ts'
import {
  madeSource,
  sha256Of,
  testEffort,
  testPolicy,
  unknownSource,
} from '../../support/stores/source.ts'

const forever = new AbortController().signal
const mebibyte = 1024 * 1024

async function openS3(
  scope: Scope,
  target: S3Target,
  {
    secret = s3Secret,
    effort = {},
  }: { readonly secret?: SecretValues; readonly effort?: Partial<RetryEffort> } = {},
) {
  const opened = await openStore(target, secret, testPolicy, {
    effort: { ...testEffort, ...effort },
  })
  if (!opened.ok) throw new Error(opened.reason)
  scope.teardown(() => opened.store.close())
  return opened.store
}

for (const bytes of [0, 1, 5 * mebibyte - 1, 5 * mebibyte, 13 * mebibyte + 17]) {
  test(`put() stores a file of ${bytes} bytes, and head() finds it`, async t => {
    const server = await startS3(t)
    const store = await openS3(t, s3Target(server.url, { path: '/a/b/' }))
    const source = madeSource(bytes)
    const { sha256 } = source
    t.deepEqual(await store.put('web_1.pcap', source, forever), {
      ok: true,
      url: `${server.url}/${bucket}/a/b/web_1.pcap`,
      bytes,
      sha256,
    })
    t.is(await sha256Of(join(server.objects, 'a/b/web_1.pcap')), sha256)
    t.deepEqual(await store.head('web_1.pcap', forever), { ok: true, found: { bytes, sha256 } })
    t.deepEqual(await store.head('web_2.pcap', forever), { ok: true })
  })
}

test('put() stores a file of which neither length nor checksum is known', async t => {
  const server = await startS3(t)
  const store = await openS3(t, s3Target(server.url))
  const source = madeSource(37 * mebibyte)
  t.like(await store.put('web_1.pcap', unknownSource(source), forever), {
    ok: true,
    bytes: source.bytes,
    sha256: source.sha256,
  })
  t.is(await sha256Of(join(server.objects, 'web_1.pcap')), source.sha256)
})

test('put() sends nothing when the file is there already', async t => {
  const server = await startS3(t)
  const wire = await startWire(t, () => server.port)
  const store = await openS3(t, s3Target(wire.url))
  const source = madeSource(12 * mebibyte)
  const first = await store.put('web_1.pcap', source, forever)
  const sent = wire.sentBytes
  t.deepEqual(await store.put('web_1.pcap', source, forever), first)
  t.true(wire.sentBytes - sent < 10_000, `${wire.sentBytes - sent} bytes`)
})
test('put() goes on when connections are cut', async t => {
  const server = await startS3(t)
  const wire = await startWire(t, () => server.port)
  const store = await openS3(t, s3Target(wire.url))
  const source = madeSource(40 * mebibyte)
  const cutsAt = [3, 14, 27].map(each => each * mebibyte)
  wire.onBytes = sent => {
    if (sent <= (cutsAt[0] ?? Number.POSITIVE_INFINITY)) return
    cutsAt.shift()
    wire.cut()
  }
  t.like(await store.put('web_1.pcap', source, forever), { ok: true, sha256: source.sha256 })
  t.is(cutsAt.length, 0)
  t.is(await sha256Of(join(server.objects, 'web_1.pcap')), source.sha256)
})

test('put() goes on when the server is killed and started again', async t => {
  const server = await startS3(t)
  const wire = await startWire(t, () => server.port)
  const store = await openS3(t, s3Target(wire.url), { effort: { triesMax: 30 } })
  const source = madeSource(40 * mebibyte)
  const put = await putThroughKill(server, wire, () => store.put('web_1.pcap', source, forever))
  t.like(put, { ok: true, sha256: source.sha256 })
  t.is(await sha256Of(join(server.objects, 'web_1.pcap')), source.sha256)
})

test('put() sends a part again that changed on the way', async t => {
  const server = await startS3(t)
  const wire = await startWire(t, () => server.port)
  const store = await openS3(t, s3Target(wire.url))
  const source = madeSource(20 * mebibyte)
  let bent = 0
  wire.bend = chunk => {
    if (wire.sentBytes < 8 * mebibyte || bent > 0 || chunk.includes('HTTP/1.1')) return chunk
    bent++
    const other = Buffer.from(chunk)
    other[100] = (other[100] ?? 0) ^ 1
    return other
  }
  t.like(await store.put('web_1.pcap', source, forever), { ok: true, sha256: source.sha256 })
  t.is(bent, 1)
  t.is(await sha256Of(join(server.objects, 'web_1.pcap')), source.sha256)
})

test('put() goes on from where the source broke off', async t => {
  const server = await startS3(t)
  const store = await openS3(t, s3Target(server.url))
  const whole = madeSource(16 * mebibyte)
  const asked: number[] = []
  const source = {
    ...whole,
    async *read(fromByte: number, signal: AbortSignal) {
      asked.push(fromByte)
      let given = 0
      for await (const chunk of await whole.read(fromByte, signal)) {
        yield chunk
        given += chunk.length
        if (given > 6 * mebibyte) throw new Error('the agent has gone')
      }
    },
  }
  t.like(await store.put('web_1.pcap', source, forever), { ok: true, sha256: whole.sha256 })
  t.is(asked.length, 3)
  t.true((asked[2] ?? 0) > (asked[1] ?? 0))
})

for (const [what, change] of [
  ['a checksum that the file does not have', { sha256: madeSource(1).sha256 }],
  ['a length that the file does not have', { bytes: 12 * mebibyte + 1 }],
] as const) {
  test(`put() makes no object when the source names ${what}`, async t => {
    const server = await startS3(t)
    const store = await openS3(t, s3Target(server.url))
    const put = await store.put('web_1.pcap', { ...madeSource(12 * mebibyte), ...change }, forever)
    t.like(put, { ok: false, isFinal: false })
    t.regex(put.ok ? '' : put.reason, /it has changed$/)
    t.deepEqual(await store.head('web_1.pcap', forever), { ok: true })
  })
}

const wrong: readonly (readonly [string, Partial<S3Target>, SecretValues, RegExp])[] = [
  [
    'the bucket is not there',
    { bucket: 'elsewhere' },
    s3Secret,
    /404, NoSuchBucket: expected a bucket that is there in s3Upload.bucket, found "elsewhere"$/,
  ],
  [
    'the key is not known',
    {},
    { ...s3Secret, 's3-access-key-id': 'canaryunknown44' },
    /40[34], (InvalidAccessKeyId|XAdminUserNotFound): .*Secret "store-keys"$/,
  ],
  [
    'the secret key is wrong',
    {},
    { ...s3Secret, 's3-secret-access-key': 'canarywrongkey' },
    /403, SignatureDoesNotMatch: .*Secret "store-keys"$/,
  ],
]
for (const [what, target, secret, reason] of wrong) {
  for (const bytes of [100, 12 * mebibyte]) {
    test(`put() of ${bytes} bytes refuses for good when ${what}`, async t => {
      const server = await startS3(t)
      const wire = await startWire(t, () => server.port)
      const store = await openS3(t, s3Target(wire.url, target), { secret })
      const put = await store.put('web_1.pcap', madeSource(bytes), forever)
      t.like(put, { ok: false, isFinal: true })
      t.regex(put.ok ? '' : put.reason, reason)
      t.notRegex(JSON.stringify(put), /canary/)
    })
  }
}

test('discard() leaves nothing of an upload that never ended', async t => {
  const server = await startS3(t)
  const wire = await startWire(t, () => server.port)
  const store = await openS3(t, s3Target(wire.url))
  const stop = new AbortController()
  wire.onBytes = sent => void (sent > 12 * mebibyte && stop.abort())
  t.like(await store.put('web_1.pcap', madeSource(40 * mebibyte), stop.signal), {
    ok: false,
    isFinal: false,
  })
  t.true(sizeOf(server.directory) > 4 * mebibyte)
  t.deepEqual(await store.discard('web_1.pcap', forever), { ok: true })
  t.true(sizeOf(server.directory) < mebibyte, readFileSync(join(server.directory, 'log'), 'utf8'))
})

function sizeOf(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(entry =>
    entry.isFile(),
  )
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

networkTest(
  'put() says what a server with a full disk says, and goes on when there is room',
  async t => {
    const directory = mkdtempSync(join(tmpdir(), 'selcap-store-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    await mountDisk(t, directory, 24 * 1024)
    const server = await startS3(t, { directory })
    const store = await openS3(t, s3Target(server.url), { effort: { triesMax: 2 } })
    const other = join(directory, 'other')
    writeFileSync(other, Buffer.alloc(12 * mebibyte))
    const source = madeSource(10 * mebibyte)
    const put = await store.put('web_1.pcap', source, forever)
    t.like(put, { ok: false })
    t.regex(put.ok ? '' : put.reason, /the store answered \d+, \w+/)
    t.log(put)
    writeFileSync(other, '')
    t.like(await store.put('web_1.pcap', source, forever), { ok: true, sha256: source.sha256 })
  },
)
