// Uploads over TLS, as users have them: real servers with certificates of an authority that is made
// here. Who is trusted is the process's affair (NODE_EXTRA_CA_CERTS), and what is wrong with a
// certificate is told so that somebody can mend it.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import type { StoreTarget } from '../../../src/model/output.ts'
import { type DestinationPolicy, strictPolicy } from '../../../src/store/destinationPolicy.ts'
import type { SecretValues, StoredFile, StoreFailure } from '../../../src/store/store.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { type CertificateFiles, makeAuthority, type Wish } from '../../support/stores/authority.ts'
import { startBlobs } from '../../support/stores/blobServer.ts'
import { startWire } from '../../support/stores/faultyProxy.ts'
import { s3Secret, s3Target, startS3 } from '../../support/stores/s3Server.ts'
import { madeSource } from '../../support/stores/source.ts'
import { startUpload } from '../../support/stores/startUpload.ts'

const mebibyte = 1024 * 1024
const bytes = 30 * mebibyte
const policy: DestinationPolicy = { ...strictPolicy, addressesAllowed: ['127.0.0.0/8'] } // https alone

type Place = {
  readonly target: StoreTarget
  readonly secret: SecretValues
  readonly whole: (name: string) => Promise<Buffer>
}

/** Without a certificate: the server speaks http where https is asked for. */
const places: Readonly<Record<string, (scope: Scope, tls?: CertificateFiles) => Promise<Place>>> = {
  S3: async (scope, tls) => {
    const server = await startS3(scope, tls && { tls })
    const whole = async (name: string) => readFileSync(join(server.objects, name))
    return { target: s3Target(`https://127.0.0.1:${server.port}`), secret: s3Secret, whole }
  },
  'Azure Blob Storage': async (scope, tls) => {
    const server = await startBlobs(scope, tls)
    const secret = server.signed({ at: `https://127.0.0.1:${server.port}` })
    return { target: blobTarget, secret, whole: name => server.blob(name).downloadToBuffer() }
  },
}
const blobTarget: StoreTarget = { kind: 'blob', secretName: 'store-url' }

type Job = {
  readonly target: StoreTarget
  readonly secret: SecretValues
  readonly policy?: DestinationPolicy
}

async function upload(
  scope: Scope,
  job: Job,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly put: StoredFile | StoreFailure; readonly shown: string }> {
  const { target, secret } = job
  const { said, complained } = startUpload(
    scope,
    { target, secret, bytes, policy: job.policy ?? policy },
    env,
  )
  const shown = `${await said}${await complained}`
  return { put: JSON.parse(await said).put, shown }
}

for (const [name, start] of Object.entries(places)) {
  test.serial(`put() to ${name} stores a file where the process trusts the authority`, async t => {
    const authority = await makeAuthority(t)
    const { whole, ...place } = await start(t, await authority.issue())
    const { sha256 } = madeSource(bytes)
    const { put } = await upload(t, place, { NODE_EXTRA_CA_CERTS: authority.file })
    t.like(put, { ok: true, bytes, sha256 })
    t.regex(put.ok ? put.url : '', /^https:\/\/127\.0\.0\.1:\d+\/[a-z/]*captures\/web_1\.pcap$/)
    t.is(
      createHash('sha256')
        .update(await whole('web_1.pcap'))
        .digest('hex'),
      sha256,
    )
  })
}

for (const [name, start] of Object.entries(places)) {
  test.serial(
    `put() to ${name} over TLS goes on when connections are cut, and when bytes change on the way`,
    async t => {
      const authority = await makeAuthority(t)
      const { whole, ...place } = await start(t, await authority.issue())
      const wire = await startWire(t, () => portIn(place))
      let [bent, cuts] = [0, 0]
      wire.bend = chunk =>
        wire.sentBytes > 3 * mebibyte && chunk.length > 1_000 && bent++ === 0
          ? changed(chunk)
          : chunk
      wire.onBytes = sent => void (sent > 20 * mebibyte && cuts++ === 0 && wire.cut())
      const job = JSON.parse(
        JSON.stringify(place).replaceAll(`:${portIn(place)}`, `:${wire.port}`),
      ) as Job
      const { put } = await upload(t, job, { NODE_EXTRA_CA_CERTS: authority.file })
      t.like(put, { ok: true, bytes, sha256: madeSource(bytes).sha256 }, JSON.stringify(put))
      t.true(bent > 1 && cuts > 0)
      t.is(
        createHash('sha256')
          .update(await whole('web_1.pcap'))
          .digest('hex'),
        madeSource(bytes).sha256,
      )
    },
  )
}

function portIn({ target, secret }: Job): number {
  return Number(/127\.0\.0\.1:(\d+)/.exec(JSON.stringify([target, secret]))?.[1])
}

function changed(chunk: Buffer): Buffer {
  const other = Buffer.from(chunk)
  other[500] = (other[500] ?? 0) ^ 1
  return other
}

type Wrong = {
  readonly issue?: Wish
  readonly isStranger?: boolean
  readonly isPlain?: boolean
  readonly env?: NodeJS.ProcessEnv
}
const wrong: Readonly<Record<string, Wrong & { readonly reason: RegExp }>> = {
  'is of an authority that nobody trusts': {
    isStranger: true,
    reason:
      /certificate is of no authority that is trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\): expected that the administrator has given /,
  },
  'is of such an authority, and the environment would have it trusted': {
    isStranger: true,
    env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    reason: /certificate is of no authority that is trusted/,
  },
  'is for another host': {
    issue: { names: ['store.example.org', '127.0.0.2'] },
    reason:
      /certificate is for other names \(ERR_TLS_CERT_ALTNAME_INVALID\): expected one for the host that files go to/,
  },
  'has expired': {
    issue: { fromDay: -30, toDay: -1 },
    reason: /has expired \(CERT_HAS_EXPIRED\): expected the store to have a new one$/,
  },
  'is of tomorrow': {
    issue: { fromDay: 1, toDay: 3 },
    reason: /is not valid yet \(CERT_NOT_YET_VALID\): expected the clocks /,
  },
  'is missing, since it speaks http': {
    isPlain: true,
    reason: /TLS failed \(EPROTO\): expected a store that speaks https /,
  },
}
for (const [name, start] of Object.entries(places)) {
  for (const [what, { issue, isStranger = false, isPlain = false, env, reason }] of Object.entries(
    wrong,
  )) {
    test.serial(
      `put() to ${name} sends nothing and says why when its certificate ${what}`,
      async t => {
        const trusted = await makeAuthority(t)
        const signer = isStranger ? await makeAuthority(t) : trusted
        const { target, secret } = await start(t, isPlain ? undefined : await signer.issue(issue))
        const { put, shown } = await upload(
          t,
          { target, secret },
          { NODE_EXTRA_CA_CERTS: trusted.file, ...env },
        )
        t.like(put, { ok: false, isFinal: !isPlain }) // within this go; the controller makes others, less and less often
        t.regex(put.ok ? '' : put.reason, reason)
        t.notRegex(shown, /canary|sig=|socket hang up/)
      },
    )
  }
}

const elsewhere: readonly (readonly [string, (http: number, https: number) => string])[] = [
  ['http', http => `http://127.0.0.2:${http}`],
  ['an address that is not allowed', (_, https) => `https://127.0.0.1:${https}`],
  ['a link-local address', () => 'http://169.254.169.254/latest/meta-data'],
  ["the link's own", () => 'https://[fe80::1]'],
]
const targets: Readonly<Record<string, (at: string) => Job>> = {
  S3: at => ({ target: s3Target(at), secret: s3Secret }),
  'Azure Blob Storage': at => ({
    target: blobTarget,
    secret: { 'blob-upload-url': `${at}/captures?sig=canary-signature` },
  }),
}
for (const [name, jobAt] of Object.entries(targets)) {
  for (const [what, location] of elsewhere) {
    test.serial(`put() to ${name} does not follow https to ${what}`, async t => {
      const authority = await makeAuthority(t)
      const asked: string[] = []
      const [http, https] = [
        await counting(t, '127.0.0.2', asked),
        await counting(t, '127.0.0.1', asked),
      ]
      const { cert, key } = await authority.issue({ names: ['127.0.0.2'] })
      const to = location(portOf(http), portOf(https))
      const answers = createTlsServer(
        { cert: readFileSync(cert), key: readFileSync(key) },
        (request, response) => {
          request.resume()
          response.writeHead(307, { location: `${to}${request.url}` }).end()
        },
      )
      await listen(t, answers, '127.0.0.2')
      const job = {
        ...jobAt(`https://127.0.0.2:${portOf(answers)}`),
        policy: { ...strictPolicy, addressesAllowed: ['127.0.0.2'] },
      }
      const { put, shown } = await upload(t, job, { NODE_EXTRA_CA_CERTS: authority.file })
      t.like(put, { ok: false, isFinal: true })
      t.regex(put.ok ? '' : put.reason, /the store answered 307, .*redirects are not followed$/)
      t.notRegex(shown, /canary|sig=/)
      t.deepEqual(asked, [])
    })
  }
}

async function counting(scope: Scope, address: string, asked: string[]): Promise<Server> {
  return listen(
    scope,
    createServer(socket => {
      asked.push(address)
      socket.destroy()
    }),
    address,
  )
}

async function listen<T extends Server>(scope: Scope, server: T, address: string): Promise<T> {
  await new Promise<void>(resolve => server.listen(0, address, resolve))
  scope.teardown(() => server.close())
  return server
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}
