// Whole processes that upload: one that is killed is followed by one that sends only what is
// missing, none needs memory for a file, and none says a secret. The same for all three kinds of
// store.
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import test from 'ava'
import type { SecretValues } from '../../../src/store/store.ts'
import { serialNetworkTest } from '../../support/net/privilege.ts'
import { root } from '../../support/repository.ts'
import { places } from '../../support/stores/places.ts'
import { madeSource } from '../../support/stores/source.ts'
import { startUpload } from '../../support/stores/startUpload.ts'

const mebibyte = 1024 * 1024

for (const [name, start] of Object.entries(places)) {
  serialNetworkTest(
    `put() to ${name} goes on after its process was killed, without sending everything again`,
    async t => {
      const { wire, ...place } = await start(t)
      const job = { ...place, bytes: 60 * mebibyte }
      const first = startUpload(t, job)
      wire.onBytes = sent => void (sent > 40 * mebibyte && first.child.kill('SIGKILL'))
      await first.ended
      t.is(await first.said, '')
      const before = wire.sentBytes
      wire.onBytes = () => {}
      const second = startUpload(t, job)
      const { put } = JSON.parse(await second.said)
      t.like(put, { ok: true, bytes: job.bytes, sha256: madeSource(job.bytes).sha256 })
      const sent = wire.sentBytes - before
      t.true(before > 39 * mebibyte && sent < 36 * mebibyte, `${before} bytes, then ${sent}`)
    },
  )

  serialNetworkTest(`put() to ${name} holds no large file in memory`, async t => {
    const { wire, ...place } = await start(t)
    const bytes = 280 * mebibyte
    const { said } = startUpload(t, { ...place, bytes, isLarge: true })
    const { put, maxRssKib } = JSON.parse(await said)
    t.like(put, { ok: true, bytes })
    t.true(wire.sentBytes >= bytes)
    t.true(maxRssKib < 240 * 1024, `${maxRssKib} KiB`)
    t.log(`${maxRssKib} KiB`)
  })
}

/** What nobody may read anywhere, in the forms it has in URLs too. */
function hiddenIn(secret: SecretValues): string[] {
  const values = Object.entries(secret).filter(
    ([key]) => !/username|known-hosts|fingerprint/.test(key),
  )
  const parts = values.flatMap(([, value]) => [
    value.trim(),
    /sig=([^&"]+)/.exec(value)?.[1] ?? value,
  ])
  return [...parts, ...parts.map(decodeURIComponent), ...parts.map(encodeURIComponent)]
}

const changes: Readonly<Record<string, (secret: SecretValues) => SecretValues>> = {
  'that is right': secret => secret,
  'that is wrong': secret =>
    Object.fromEntries(Object.entries(secret).map(([key, value]) => [key, spoilt(key, value)])),
  'that cannot be read': secret =>
    Object.fromEntries(Object.entries(secret).map(([key, value]) => [key, `\u0001 ${value} `])),
}

function spoilt(key: string, value: string): string {
  return /known-hosts|username/.test(key)
    ? value
    : value.replace(/(sig=|^"?)[\w%+/]{4}(?!tp)/, '$1AAAA')
}

for (const [name, start] of Object.entries(places)) {
  for (const [what, change] of Object.entries(changes)) {
    serialNetworkTest(
      `a process that uploads to ${name} with a Secret ${what} shows nothing of it`,
      async t => {
        const { wire, target, secret } = await start(t)
        const used = change(secret)
        let cuts = 0
        wire.onBytes = sent => void (sent > 3 * mebibyte && cuts++ === 0 && wire.cut())
        const { said, complained } = startUpload(t, { target, secret: used, bytes: 6 * mebibyte })
        const shown = `${await said}${await complained}`
        t.regex(shown, what === 'that is right' ? /"ok":true/ : /"ok":false|Cannot/)
        t.deepEqual(
          [...hiddenIn(used), ...hiddenIn(secret)].filter(word => shown.includes(word)),
          [],
          shown,
        )
      },
    )
  }
}

const looking = `import { registerHooks } from 'node:module'
const seen = new Set()
registerHooks({ resolve: (name, context, next) => { const found = next(name, context); seen.add(found.url); return found } })
const heavy = () => [...new Set([...seen].flatMap(url => /node_modules.(@aws-sdk.client-s3|@azure.storage-blob|ssh2)[/]/.exec(url)?.[1] ?? []))]
for (const name of ['agent/run', 'agent/standalone', 'cmd/agent', 'controller/run', 'gateway/run']) await import(process.cwd() + '/src/' + name + '.ts')
const { openStore } = await import(process.cwd() + '/src/store/openStore.ts')
const before = heavy()
const target = { kind: 's3', bucket: 'captures', region: 'eu-central-1', secretName: 's' }
const opened = await openStore(target, { 's3-access-key-id': 'a', 's3-secret-access-key': 'b' }, { isHttpAllowed: false, hostsAllowed: [], addressesAllowed: [] })
console.log(JSON.stringify({ before, ok: opened.ok, after: heavy() }))
process.exit(0)`

test('no program loads a library of a store before it uploads, and then the one it needs', async t => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', looking], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = (await text(child.stdout)).trim().split('\n').at(-1) ?? ''
  t.deepEqual(JSON.parse(said), { before: [], ok: true, after: ['@aws-sdk/client-s3'] })
})
