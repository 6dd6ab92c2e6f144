// SFTP against OpenSSH, and what may go wrong on the way: files come out whole, or the reason is
// told.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SftpTarget } from '../../../src/model/output.ts'
import { openStore } from '../../../src/store/openStore.ts'
import type { RetryEffort, SecretValues } from '../../../src/store/store.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { networkTest } from '../../support/net/privilege.ts'
import { mountDisk } from '../../support/net/smallDisk.ts'
import { startWire } from '../../support/stores/faultyProxy.ts'
import { putThroughKill } from '../../support/stores/killDuringUpload.ts'
import {
  password,
  type SftpServer,
  sftpTarget,
  startSftp,
} from '../../support/stores/sftpServer.ts'
import {
  madeSource,
  sha256Of,
  testEffort,
  testPolicy,
  unknownSource,
} from '../../support/stores/source.ts'

const forever = new AbortController().signal
const mebibyte = 1024 * 1024

async function openSftp(
  scope: Scope,
  target: SftpTarget,
  secret: SecretValues,
  effort: Partial<RetryEffort> = {},
) {
  const opened = await openStore(target, secret, testPolicy, {
    effort: { ...testEffort, ...effort },
  })
  if (!opened.ok) throw new Error(opened.reason)
  scope.teardown(() => opened.store.close())
  return opened.store
}

/** For a wire before the server. */
function knownAt(server: SftpServer, port: number): SecretValues {
  return {
    ...server.secret,
    'sftp-known-hosts': server.secret['sftp-known-hosts'].replace(/:\d+/, `:${port}`),
  }
}

for (const bytes of [0, 1, 40_000, 13 * mebibyte + 17]) {
  networkTest(`put() stores a file of ${bytes} bytes, and head() finds it`, async t => {
    const server = await startSftp(t)
    const store = await openSftp(t, sftpTarget(server.port, { path: 'a/b' }), server.secret)
    const { sha256 } = madeSource(bytes)
    const path = join(server.files, 'a/b/web_1.pcap')
    t.deepEqual(await store.put('web_1.pcap', madeSource(bytes), forever), {
      ok: true,
      url: `sftp://127.0.0.1:${server.port}${path}`,
      bytes,
      sha256,
    })
    t.is(await sha256Of(path), sha256)
    t.deepEqual(await store.head('web_1.pcap', forever), { ok: true, found: { bytes } })
    t.deepEqual(await store.head('web_1.pcap.part', forever), { ok: true })
  })
}

networkTest(
  'put() works with a key, a fingerprint and an absolute path, over a file that has the name, of which nothing is known',
  async t => {
    const server = await startSftp(t)
    const { 'sftp-username': name } = server.secret
    const secret = {
      'sftp-username': name,
      'sftp-private-key': server.privateKey,
      'sftp-host-fingerprint': server.fingerprint(),
    }
    const store = await openSftp(t, sftpTarget(server.port, { path: `${server.files}/c` }), secret)
    const path = join(server.files, 'c/web_1.pcap')
    mkdirSync(join(server.files, 'c'))
    writeFileSync(path, 'something else')
    const { bytes, sha256 } = madeSource(5 * mebibyte)
    t.like(await store.put('web_1.pcap', unknownSource(madeSource(bytes)), forever), {
      ok: true,
      bytes,
      sha256,
    })
    t.is(await sha256Of(path), sha256)
  },
)

networkTest('put() sends nothing when the file is there already', async t => {
  const server = await startSftp(t)
  const wire = await startWire(t, () => server.port)
  const store = await openSftp(t, sftpTarget(wire.port), knownAt(server, wire.port))
  const first = await store.put('web_1.pcap', madeSource(5 * mebibyte), forever)
  const sent = wire.sentBytes
  t.deepEqual(await store.put('web_1.pcap', madeSource(5 * mebibyte), forever), first)
  t.true(wire.sentBytes - sent < mebibyte, `${wire.sentBytes - sent} bytes`)
})

networkTest('put() goes on where it was when connections are cut', async t => {
  const server = await startSftp(t)
  const wire = await startWire(t, () => server.port)
  const store = await openSftp(t, sftpTarget(wire.port), knownAt(server, wire.port), {
    triesMax: 2,
  })
  const source = madeSource(40 * mebibyte)
  const cutsAt = [6, 12, 18, 24, 30].map(each => each * mebibyte)
  wire.onBytes = sent => {
    if (sent <= (cutsAt[0] ?? Number.POSITIVE_INFINITY)) return
    cutsAt.shift()
    wire.cut()
  }
  t.like(await store.put('web_1.pcap', source, forever), { ok: true, sha256: source.sha256 })
  t.is(cutsAt.length, 0)
  t.is(await sha256Of(join(server.files, 'web_1.pcap')), source.sha256)
  t.true(wire.sentBytes < 55 * mebibyte, `${wire.sentBytes} bytes`)
})

networkTest('put() goes on when the server is killed and started again', async t => {
  const server = await startSftp(t)
  const wire = await startWire(t, () => server.port)
  const store = await openSftp(t, sftpTarget(wire.port), knownAt(server, wire.port), {
    triesMax: 30,
  })
  const source = madeSource(40 * mebibyte)
  const put = await putThroughKill(server, wire, () => store.put('web_1.pcap', source, forever))
  t.like(put, { ok: true, sha256: source.sha256 })
  t.is(await sha256Of(join(server.files, 'web_1.pcap')), source.sha256)
})

for (const [what, partBytes] of [
  ['short', 40],
  ['longer', 9 * mebibyte],
] as const) {
  networkTest(`put() does not trust a ${what} part that is not of this file`, async t => {
    const server = await startSftp(t)
    const store = await openSftp(t, sftpTarget(server.port), server.secret)
    writeFileSync(join(server.files, 'web_1.pcap.part'), Buffer.alloc(partBytes, 7))
    const source = madeSource(8 * mebibyte)
    t.like(await store.put('web_1.pcap', source, forever), { ok: true, sha256: source.sha256 })
    t.is(await sha256Of(join(server.files, 'web_1.pcap')), source.sha256)
  })
}

networkTest('put() sends no password to a server whose key has changed', async t => {
  const server = await startSftp(t)
  await server.stop('SIGKILL')
  server.changeKey()
  await server.start()
  const store = await openSftp(t, sftpTarget(server.port), server.secret)
  const put = await store.put('web_1.pcap', madeSource(10), forever)
  t.like(put, { ok: false, isFinal: true })
  t.true(
    !put.ok &&
      put.reason.includes(
        `"127.0.0.1" shows the ssh-ed25519 key ${server.fingerprint()}, expected SHA256:`,
      ),
    JSON.stringify(put),
  )
  t.notRegex(readFileSync(join(server.directory, 'log'), 'utf8'), /Failed password|Accepted/)
})

networkTest('put() refuses for good when the password is wrong', async t => {
  const server = await startSftp(t)
  const store = await openSftp(t, sftpTarget(server.port), {
    ...server.secret,
    'sftp-password': `${password}-not`,
  })
  const put = await store.put('web_1.pcap', madeSource(10), forever)
  t.like(put, { ok: false, isFinal: true })
  t.regex(
    put.ok ? '' : put.reason,
    /"127\.0\.0\.1" does not let us in: expected sftp-username with .* in Secret "store-login" that it knows$/,
  )
  t.notRegex(JSON.stringify(put), /canary/)
})

networkTest('put() names a full disk, and goes on when there is room', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-store-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  mkdirSync(join(directory, 'files'))
  await mountDisk(t, join(directory, 'files'), 12 * 1024)
  const server = await startSftp(t, directory)
  const store = await openSftp(t, sftpTarget(server.port), server.secret, { triesMax: 2 })
  writeFileSync(join(server.files, 'other'), Buffer.alloc(6 * mebibyte))
  const source = madeSource(10 * mebibyte)
  const put = await store.put('web_1.pcap', source, forever)
  t.like(put, { ok: false, isFinal: false })
  t.regex(put.ok ? '' : put.reason, /the server has no room: \d+ bytes are free, expected \d+$/)
  t.true(statSync(join(server.files, 'web_1.pcap.part')).size > 4 * mebibyte)
  writeFileSync(join(server.files, 'other'), '')
  t.like(await store.put('web_1.pcap', source, forever), { ok: true, sha256: source.sha256 })
})

networkTest('discard() removes what an upload that never ended has left', async t => {
  const server = await startSftp(t)
  const store = await openSftp(t, sftpTarget(server.port), server.secret)
  writeFileSync(join(server.files, 'web_1.pcap.part'), 'half')
  for (let count = 0; count < 2; count++)
    t.deepEqual(await store.discard('web_1.pcap', forever), { ok: true })
  t.is(statSync(join(server.files, 'web_1.pcap.part'), { throwIfNoEntry: false }), undefined)
})
