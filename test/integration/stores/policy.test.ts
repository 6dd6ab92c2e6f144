// Where uploads may go: https, hosts of the list, no address that leads back into the node,
// whatever spelling or name it hides behind, and not where a server sends them on to. Real sockets
// count who came.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import type { StoreTarget } from '../../../src/model/output.ts'
import { type DestinationPolicy, strictPolicy } from '../../../src/store/destinationPolicy.ts'
import type { Resolve } from '../../../src/store/egressGuard.ts'
import { openStore } from '../../../src/store/openStore.ts'
import type { SecretValues } from '../../../src/store/store.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { startWire } from '../../support/stores/faultyProxy.ts'
import { s3Secret, s3Target, startS3 } from '../../support/stores/s3Server.ts'
import { sftpTarget } from '../../support/stores/sftpServer.ts'
import { madeSource, testEffort, testPolicy } from '../../support/stores/source.ts'

const forever = new AbortController().signal

type Case = readonly [
  what: string,
  target: StoreTarget,
  secret: SecretValues,
  policy: Partial<DestinationPolicy>,
  reason: RegExp,
]
const url = (text: string): SecretValues => ({ 'blob-upload-url': text })
const login = {
  'sftp-username': 'u',
  'sftp-password': 'canary-password',
  'sftp-host-fingerprint': `SHA256:${'A'.repeat(43)}`,
}
const blob: StoreTarget = { kind: 'blob', secretName: 'store-url' }
const onlyOwn = { hostsAllowed: ['store.example.org', '*.example.net'] }
const atOpening: readonly Case[] = [
  ['http', s3Target('http://store.example.org'), s3Secret, {}, /s3Upload\.endpoint "http:\/\/store\.example\.org": expected https, since the administrator does not allow http$/],
  ['http, of a blob', blob, url('http://store.example.org/c?sig=canary'), {}, /blob-upload-url of Secret "store-url" "http:\/\/store\.example\.org\/c": expected https/],
  ['another scheme', s3Target('file:///etc/passwd'), s3Secret, {}, /s3Upload\.endpoint: expected a URL/],
  ['a scheme with a host', s3Target('gopher://store.example.org'), s3Secret, { isHttpAllowed: true }, /expected https$/],
  ['a user in the URL', s3Target('https://canaryuser:canarypass@store.example.org'), s3Secret, {}, /"https:\/\/store\.example\.org": expected no user/],
  ['a query in the endpoint', s3Target('https://store.example.org/?canary=1'), s3Secret, {}, /expected nothing behind the path$/],
  ['a host that is not listed', s3Target('https://store.example.com'), s3Secret, onlyOwn, /does not allow the host "store\.example\.com", expected one of store\.example\.org, \*\.example\.net$/],
  ['a host that ends like a listed one', s3Target('https://badexample.net'), s3Secret, onlyOwn, /does not allow the host "badexample\.net"/],
  ["Amazon, which is not listed", { kind: 's3', bucket: 'captures', region: 'eu-central-1', secretName: 's' }, s3Secret, onlyOwn, /s3Upload\.region "eu-central-1": .*"s3\.eu-central-1\.amazonaws\.com"/],
  ['a region that is a host', { kind: 's3', bucket: 'captures', region: 'evil.example.org/', secretName: 's' }, s3Secret, {}, /s3Upload\.region "evil\.example\.org\/": expected a region/],
  ['a bucket that is a host', s3Target('https://store.example.org', { bucket: 'evil.example.org/#' }), s3Secret, {}, /s3Upload\.bucket "evil\.example\.org\/#": expected a bucket's name$/],
  ['neither endpoint nor region', { kind: 's3', bucket: 'captures', secretName: 's' }, s3Secret, {}, /expected an endpoint or a region, found neither$/],
  ['a Secret without a key', s3Target('https://store.example.org'), { 's3-access-key-id': 'canaryid' }, {}, /Secret "store-keys": expected the key s3-secret-access-key$/],
  ['a key with an end of line', s3Target('https://store.example.org'), { ...s3Secret, 's3-access-key-id': 'canaryid\n' }, {}, /s3-access-key-id of Secret "store-keys": expected no spaces and no end of line/],
  ['a URL without a container', blob, url('https://store.example.org?sig=canary'), {}, /expected the name of a container/],
  ['a URL without a signature', blob, url('https://store.example.org/c'), {}, /expected a signature/],
  ['a Secret without a URL', blob, {}, {}, /Secret "store-url": expected the key blob-upload-url$/],
  ['an SFTP host that is not listed', sftpTarget(22, { host: 'store.example.com' }), login, onlyOwn, /sftp\.host "store\.example\.com": the administrator does not allow/],
  ['an SFTP host that is not pinned', sftpTarget(22), { ...login, 'sftp-host-fingerprint': '' }, {}, /expected sftp-known-hosts with a line for "127\.0\.0\.1", or sftp-host-fingerprint$/],
  ['a private key that is none', sftpTarget(22), { ...login, 'sftp-private-key': 'canary key' }, {}, /sftp-private-key of Secret "store-login": expected a private key/],
] // biome-ignore format: a row a case
for (const [what, target, secret, policy, reason] of atOpening) {
  test(`openStore() refuses ${what}`, async t => {
    const opened = await openStore(target, secret, { ...strictPolicy, ...policy })
    t.like(opened, { ok: false, isFinal: true })
    t.regex(opened.ok ? '' : opened.reason, reason)
    t.notRegex(JSON.stringify(opened), /canary/)
  })
}

async function listen(
  scope: Scope,
  answer: Parameters<typeof createServer>[1],
): Promise<Server & { readonly port: number; asked: number }> {
  const server = Object.assign(createServer(answer), { asked: 0 })
  server.on('connection', () => server.asked++)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.teardown(() => server.close())
  return Object.assign(server, { port: (server.address() as AddressInfo).port })
}

const targets: Readonly<
  Record<string, (host: string, port: number) => readonly [StoreTarget, SecretValues]>
> = {
  s3: (host, port) => [s3Target(`http://${host}:${port}`), s3Secret],
  blob: (host, port) => [blob, url(`http://${host}:${port}/c?sig=canary-signature`)],
  sftp: (host, port) => [sftpTarget(port, { host: host.replace(/[[\]]/g, '') }), login],
}
const asked = { ...strictPolicy, isHttpAllowed: true }
for (const [kind, at] of Object.entries(targets)) {
  for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', 'localhost', '127.0.0.1.']) {
    test(`put() of ${kind} never connects to ${host}`, async t => {
      const server = await listen(t, (_, response) => response.end())
      const opened = await openStore(...at(host, server.port), asked, { effort: testEffort })
      const put = opened.ok ? await opened.store.put('web_1.pcap', madeSource(10), forever) : opened
      t.like(put, { ok: false, isFinal: true })
      t.regex(
        put.ok ? '' : put.reason,
        /loopback address, expected one that the administrator allows$/,
      )
      t.is(server.asked, 0)
      if (opened.ok) opened.store.close()
    })
  }

  test(`put() of ${kind} never connects to a name that was elsewhere a moment ago`, async t => {
    const server = await listen(t, (_, response) => response.end())
    let lookups = 0
    // The first answer lies nowhere (a network for documents), then it is this machine.
    const resolve: Resolve = (_, __, done) =>
      done(null, [{ address: lookups++ === 0 ? '192.0.2.1' : '127.0.0.1', family: 4 }])
    const opened = await openStore(...at('store.example.org', server.port), asked, {
      effort: { ...testEffort, requestMs: 1_000 },
      resolve,
    })
    if (!opened.ok) return t.fail(opened.reason)
    const put = await opened.store.put('web_1.pcap', madeSource(10), forever)
    t.regex(
      put.ok ? '' : put.reason,
      /"store\.example\.org" is at 127\.0\.0\.1, a loopback address/,
    )
    t.true(lookups >= 2)
    t.is(server.asked, 0)
    opened.store.close()
  })
}

for (const kind of ['s3', 'blob'] as const) {
  for (const status of [301, 302, 307, 308]) {
    test(`put() of ${kind} does not follow a ${status} to elsewhere`, async t => {
      const elsewhere = await listen(t, (_, response) => response.end())
      const server = await listen(t, (request, response) => {
        request.resume()
        response
          .writeHead(status, { location: `http://127.0.0.1:${elsewhere.port}${request.url}` })
          .end()
      })
      const [target, secret] = targets[kind]?.('127.0.0.1', server.port) ?? t.fail()
      const opened = await openStore(target, secret, testPolicy, { effort: testEffort })
      const put = opened.ok ? await opened.store.put('web_1.pcap', madeSource(10), forever) : opened
      t.like(put, { ok: false, isFinal: true })
      t.regex(put.ok ? '' : put.reason, /redirects are not followed$/)
      t.is(elsewhere.asked, 0)
      if (opened.ok) opened.store.close()
    })
  }
}

test.serial('put() goes past a proxy that the environment names', async t => {
  const proxy = await listen(t, (_, response) => response.end())
  const server = await listen(t, (request, response) =>
    request.resume().on('end', () => response.writeHead(403).end()),
  )
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy'])
    process.env[name] = `http://127.0.0.1:${proxy.port}`
  t.teardown(() => {
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy'])
      delete process.env[name]
  })
  for (const kind of ['s3', 'blob'] as const) {
    const [target, secret] = targets[kind]?.('127.0.0.1', server.port) ?? t.fail()
    const opened = await openStore(target, secret, testPolicy, { effort: testEffort })
    const put = opened.ok ? await opened.store.put('web_1.pcap', madeSource(10), forever) : opened
    t.regex(put.ok ? '' : put.reason, /the store answered 403/)
  }
  t.true(server.asked >= 2)
  t.is(proxy.asked, 0)
})

for (const [what, status, isFinal] of [
  ['500', 500, false],
  ['503', 503, false],
  ['429', 429, false],
  ['400', 400, true],
] as const) {
  for (const kind of ['s3', 'blob'] as const) {
    test(`put() of ${kind} ${isFinal ? 'asks once' : 'tries again'} after a ${what}, and says so at the end`, async t => {
      const requests: string[] = []
      const server = await listen(t, (request, response) => {
        if (request.method === 'PUT') requests.push(request.url ?? '')
        request.resume().on('end', () => response.writeHead(status).end())
      })
      const [target, secret] = targets[kind]?.('127.0.0.1', server.port) ?? t.fail()
      const opened = await openStore(target, secret, testPolicy, {
        effort: { ...testEffort, triesMax: 3, longestWaitMs: 100 },
      })
      if (!opened.ok) return t.fail(opened.reason)
      const put = await opened.store.put('web_1.pcap', madeSource(10), forever)
      t.like(put, { ok: false, isFinal })
      t.regex(put.ok ? '' : put.reason, new RegExp(`the store answered ${status}`))
      t.true(isFinal ? requests.length === 1 : requests.length !== 1)
      opened.store.close()
    })
  }
}

test('put() gives up on a server that never answers, and on a caller who stops', async t => {
  const server = await startS3(t)
  const wire = await startWire(t, () => server.port)
  wire.isSilent = true
  const opened = await openStore(s3Target(wire.url), s3Secret, testPolicy, {
    effort: { ...testEffort, triesMax: 2, requestMs: 500 },
  })
  if (!opened.ok) return t.fail(opened.reason)
  const late = await opened.store.put('web_1.pcap', madeSource(10), forever)
  t.regex(late.ok ? '' : late.reason, /no answer within 0\.5 s$/)
  const stopped = await opened.store.put('web_1.pcap', madeSource(10), AbortSignal.timeout(100))
  t.regex(stopped.ok ? '' : stopped.reason, /: stopped$/)
  opened.store.close()
})
