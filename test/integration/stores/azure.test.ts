// Azure Blob Storage against a real server (Azurite), and what may go wrong on the way: blobs come
// out whole, or the reason is told.
import test from 'ava'
import { openStore } from '../../../src/store/openStore.ts'
import type { RetryEffort, SecretValues } from '../../../src/store/store.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { type BlobServer, startBlobs } from '../../support/stores/blobServer.ts'
import { startWire } from '../../support/stores/faultyProxy.ts'
import { putThroughKill } from '../../support/stores/killDuringUpload.ts'
import { madeSource, testEffort, testPolicy, unknownSource } from '../../support/stores/source.ts'

const forever = new AbortController().signal
const mebibyte = 1024 * 1024

async function openBlobs(scope: Scope, secret: SecretValues, effort: Partial<RetryEffort> = {}) {
  const opened = await openStore({ kind: 'blob', secretName: 'store-url' }, secret, testPolicy, {
    effort: { ...testEffort, ...effort },
  })
  if (!opened.ok) throw new Error(opened.reason)
  scope.teardown(() => opened.store.close())
  return opened.store
}

async function stored(server: BlobServer, name: string) {
  const { metadata, contentLength } = await server.blob(name).getProperties()
  return { bytes: contentLength, sha256: metadata?.sha256 }
}

for (const bytes of [0, 1, 5 * mebibyte, 13 * mebibyte + 17]) {
  test(`put() stores a blob of ${bytes} bytes, and head() finds it`, async t => {
    const server = await startBlobs(t)
    const store = await openBlobs(t, server.signed())
    const { sha256 } = madeSource(bytes)
    const put = await store.put('web 1.pcap', madeSource(bytes), forever)
    t.deepEqual(put, { ok: true, url: `${server.container}/web%201.pcap`, bytes, sha256 })
    t.true((await server.blob('web 1.pcap').downloadToBuffer()).equals(await wholeOf(bytes)))
    t.deepEqual(await store.head('web 1.pcap', forever), { ok: true, found: { bytes, sha256 } })
    t.deepEqual(await store.head('web 2.pcap', forever), { ok: true })
  })
}

async function wholeOf(bytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await madeSource(bytes).read(0, forever)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

for (const may of ['cw', 'rcw']) {
  test(`put() works with a signature that allows ${may}, and of a file nothing is known of`, async t => {
    const server = await startBlobs(t)
    const store = await openBlobs(t, server.signed({ may }))
    const { bytes, sha256 } = madeSource(12 * mebibyte)
    t.like(await store.put('web_1.pcap', unknownSource(madeSource(bytes)), forever), {
      ok: true,
      bytes,
      sha256,
    })
    t.deepEqual(await stored(server, 'web_1.pcap'), { bytes, sha256 })
  })
}

test('put() sends nothing when the blob is there already', async t => {
  const server = await startBlobs(t)
  const wire = await startWire(t, () => server.port)
  const store = await openBlobs(t, server.signed({ at: wire.url }))
  const first = await store.put('web_1.pcap', madeSource(12 * mebibyte), forever)
  const sent = wire.sentBytes
  t.deepEqual(await store.put('web_1.pcap', madeSource(12 * mebibyte), forever), first)
  t.true(wire.sentBytes - sent < 10_000, `${wire.sentBytes - sent} bytes`)
})

test('put() goes on when connections are cut', async t => {
  const server = await startBlobs(t)
  const wire = await startWire(t, () => server.port)
  const store = await openBlobs(t, server.signed({ at: wire.url }))
  const { bytes, sha256 } = madeSource(40 * mebibyte)
  const cutsAt = [3, 14, 27].map(each => each * mebibyte)
  wire.onBytes = sent => {
    if (sent <= (cutsAt[0] ?? Number.POSITIVE_INFINITY)) return
    cutsAt.shift()
    wire.cut()
  }
  t.like(await store.put('web_1.pcap', madeSource(bytes), forever), { ok: true, sha256 })
  t.is(cutsAt.length, 0)
  t.deepEqual(await stored(server, 'web_1.pcap'), { bytes, sha256 })
})

test('put() goes on when the server is killed and started again', async t => {
  const server = await startBlobs(t)
  await server.stop() // it saves its tables at its end, else every few seconds: what it knows of the container stays
  await server.start()
  const wire = await startWire(t, () => server.port)
  const store = await openBlobs(t, server.signed({ at: wire.url }), { triesMax: 40 })
  const { bytes, sha256 } = madeSource(40 * mebibyte)
  const put = await putThroughKill(server, wire, () =>
    store.put('web_1.pcap', madeSource(bytes), forever),
  )
  t.like(put, { ok: true, sha256 }, JSON.stringify(put)) // what it knew of the blocks was gone
  t.deepEqual(await stored(server, 'web_1.pcap'), { bytes, sha256 })
})

test('put() sends a block again that changed on the way', async t => {
  const server = await startBlobs(t)
  const wire = await startWire(t, () => server.port)
  const store = await openBlobs(t, server.signed({ at: wire.url }))
  const { bytes, sha256 } = madeSource(20 * mebibyte)
  let bent = 0
  wire.bend = chunk => {
    if (wire.sentBytes < 8 * mebibyte || bent > 0 || chunk.includes('HTTP/1.1')) return chunk
    bent++
    const other = Buffer.from(chunk)
    other[100] = (other[100] ?? 0) ^ 1
    return other
  }
  const put = await store.put('web_1.pcap', madeSource(bytes), forever)
  t.like(put, { ok: true, sha256 }, JSON.stringify(put))
  t.is(bent, 1)
  t.true((await server.blob('web_1.pcap').downloadToBuffer()).equals(await wholeOf(bytes)))
})

const wrong: readonly (readonly [string, (server: BlobServer) => SecretValues, RegExp])[] = [
  [
    'there is no such container',
    server => server.signed({ in: 'elsewhere' }),
    /404, ContainerNotFound: expected the URL of a container that is there/,
  ],
  [
    'the signature is over',
    server => server.signed({ isOver: true }),
    /403, AuthorizationFailure: expected a URL/,
  ],
  [
    'the signature is wrong',
    server => bad(server.signed()),
    /403, AuthorizationFailure: expected a URL/,
  ],
  [
    'the signature allows to read',
    server => server.signed({ may: 'r' }),
    /403, Authorization\w+: expected a URL/,
  ],
]
for (const [what, secretOf, reason] of wrong) {
  test(`put() refuses for good when ${what}`, async t => {
    const server = await startBlobs(t)
    const secret = secretOf(server)
    const store = await openBlobs(t, secret)
    const put = await store.put('web_1.pcap', madeSource(12 * mebibyte), forever)
    t.like(put, { ok: false, isFinal: true })
    t.regex(put.ok ? '' : put.reason, reason)
    t.notRegex(JSON.stringify(put), /sig=|se=|sv=/)
  })
}

function bad(secret: SecretValues): SecretValues {
  const url = secret['blob-upload-url'] ?? ''
  return { 'blob-upload-url': url.replace(/sig=[^&"]{10}/, 'sig=canarycana') }
}
