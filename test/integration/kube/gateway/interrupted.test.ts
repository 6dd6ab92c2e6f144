// What becomes of a download when, in its middle, the agent dies, the file is rotated or removed,
// or the capture is deleted; of the gateway's certificate when it is replaced; and of the gateway
// when the API server is away.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { connect, type TLSSocket } from 'node:tls'
import { fingerprintOf, makeCertificate } from '../../../../src/auth/selfSignedCertificate.ts'
import {
  addBigFile,
  addCapture,
  filesPath,
  listed,
  makeStage,
  type Stage,
  zipPath,
} from '../../../support/kube/gatewayFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const bytes = 200_000_000
let stage: (Stage & { readonly certificates: string }) | undefined

const onStage = shared(async () => {
  const certificates = mkdtempSync(join(cluster().directory, 'tls-'))
  stage = { ...(await makeStage(cluster(), ['--certificates', certificates])), certificates }
  return stage
})

const sum = (body: Buffer): string => createHash('sha256').update(body).digest('base64')

function unzip(body: Buffer): {
  readonly manifest: { files: { file: string; complete: boolean }[] }
  read(path: string): Buffer
} {
  const directory = mkdtempSync(join(cluster().directory, 'zip-'))
  writeFileSync(join(directory, 'a.zip'), body)
  execFileSync('python3', ['-m', 'zipfile', '-e', 'a.zip', 'out'], { cwd: directory })
  const read = (path: string) => readFileSync(join(directory, 'out', path))
  return { manifest: JSON.parse(read('manifest.json').toString()), read }
}

clusterTest(
  'a zip whose agent is killed in the middle is a zip, and says what is missing',
  async t => {
    t.timeout(120_000)
    const at = await onStage()
    const { name } = await addBigFile(at, bytes)
    const response = await at.gateway.open({ path: zipPath, token: at.dev })
    await once(response, 'readable')
    await at.node.stopAgent('SIGKILL')
    const { manifest } = unzip(await buffer(response))
    t.like(
      manifest.files.find(({ file }) => file === name),
      { complete: false },
    )
    t.is(response.trailers['x-selcap-missing'], 'node-1')
    await at.node.startAgent()
  },
)

clusterTest(
  'a file whose agent is killed in the middle breaks off, and is taken up where it broke off',
  async t => {
    t.timeout(120_000)
    const at = await onStage()
    const { name, path: local } = await addBigFile(at, bytes)
    const path = `${filesPath}/node-1/${name}`
    const response = await at.gateway.open({ path, token: at.dev })
    const chunks: Buffer[] = []
    await t.throwsAsync(async () => {
      for await (const chunk of response as AsyncIterable<Buffer>)
        if (chunks.push(chunk) === 1) await at.node.stopAgent('SIGKILL')
    })
    const had = Buffer.concat(chunks)
    t.true(had.length < bytes)
    await at.node.startAgent()
    await until('it to be back', async () => (await listed(at.gateway, at.dev)).length === 2)
    const headers = { range: `bytes=${had.length}-`, 'if-range': String(response.headers.etag) }
    const rest = await at.gateway.ask({ path, token: at.dev, headers })
    t.is(rest.code, 206)
    t.is(sum(Buffer.concat([had, rest.body])), sum(readFileSync(local)))
    t.is(response.headers['repr-digest'], `sha-256=:${sum(readFileSync(local))}:`)
  },
)

clusterTest(
  'zips made while files are rotated and removed hold whole records only, or say what is missing',
  async t => {
    t.timeout(120_000)
    const at = await onStage()
    await addCapture(at, 'fast', { rotation: { maxSizeBytes: 4_000, maxFiles: 2 } })
    const first = at.node.files('shop', 'fast')
    const sending = Array.from(
      { length: 8 },
      () => () => at.pod.sender.udp({ to: at.pod.hostAddress, port: 9, count: 200, gapMs: 1 }),
    )
    const sent = sending.reduce<Promise<unknown>>(
      (before, send) => before.then(send),
      Promise.resolve(),
    )
    let [whole, rounds] = [0, 0]
    for (; rounds < 10; rounds++) {
      const { body } = await at.gateway.ask({
        path: zipPath.replace('/web/', '/fast/'),
        token: at.dev,
      })
      const { manifest, read } = unzip(body)
      for (const { file, complete } of manifest.files.filter(each => each.complete)) {
        t.notThrows(() => readRecords(read(`node-1/${file}`), 'pcap'), file)
        whole += complete ? 1 : 0
      }
    }
    await sent
    t.true(whole >= rounds)
    t.true(at.node.files('shop', 'fast').length > first.length)
  },
)

clusterTest(
  'a download goes on to its end when the capture is deleted, and the next finds nothing',
  async t => {
    t.timeout(120_000)
    const at = await onStage()
    const { name, path: local } = await addBigFile(at, bytes)
    const expected = sum(readFileSync(local))
    const path = `${filesPath}/node-1/${name}`
    const response = await at.gateway.open({ path, token: at.dev })
    await once(response, 'readable')
    await cluster().api.kubectl('delete', 'packetcapture', 'web', '-n', 'shop')
    await until('its files to be removed', () => at.node.files('shop', 'web').length === 0)
    t.is(sum(await buffer(response)), expected)
    await until(
      'it to be gone',
      async () => (await at.gateway.ask({ path, token: at.dev })).code === 404,
    )
  },
)

clusterTest(
  'a certificate put into the Secret is served from then on, and one that does not fit its key is not',
  async t => {
    const { gateway, certificates } = await onStage()
    const served = async () => {
      const socket: TLSSocket = connect({ path: gateway.socket, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const seen = socket.getPeerX509Certificate()
      socket.destroy()
      return seen && fingerprintOf(seen)
    }
    const own = await served()
    const [first, second, third] = await Promise.all(
      [1, 2, 3].map(() => makeCertificate('gateway.example', ['gateway.example'])),
    )
    put(certificates, first?.key, first?.cert)
    await until('the first', async () => (await served()) === first?.fingerprint)
    t.not(own, first?.fingerprint)
    put(certificates, second?.key, second?.cert)
    await until('the second', async () => (await served()) === second?.fingerprint)
    put(certificates, second?.key, third?.cert)
    await until('the refusal', () => gateway.child.tail(1_000).includes('certificate not taken'))
    t.is(await served(), second?.fingerprint)
    t.is((await gateway.ask({ path: '/readyz' })).code, 200)
  },
)

clusterTest('a gateway tells when it cannot follow the cluster, and when it can again', async t => {
  const { gateway } = await onStage()
  const told = (message: string, what: string) =>
    gateway.child
      .tail(1_000_000)
      .split('\n')
      .some(line => line.includes(`"what":"${what}"`) && line.includes(`"msg":"${message}`))
  await cluster().api.interrupt('SIGKILL')
  for (const what of ['PacketCaptures', 'reports'])
    await until(`a complaint of ${what}`, () => told('cannot follow', what))
  for (const what of ['PacketCaptures', 'reports']) t.false(told('followed again', what), what)
  await cluster().api.resume()
  for (const what of ['PacketCaptures', 'reports'])
    await until(`${what} to be back`, () => told('followed again', what))
})

let versions = 0

/** As a kubelet does: a new directory, and one link that is turned over to it. */
function put(directory: string, key = '', cert = ''): void {
  const version = `..version-${versions++}`
  mkdirSync(join(directory, version))
  writeFileSync(join(directory, version, 'tls.key'), key, { mode: 0o600 })
  writeFileSync(join(directory, version, 'tls.crt'), cert)
  symlinkSync(version, join(directory, '..data_tmp'))
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  for (const name of ['tls.key', 'tls.crt']) {
    rmSync(join(directory, name), { force: true })
    symlinkSync(`..data/${name}`, join(directory, name))
  }
  if (versions > 1) rmSync(join(directory, `..version-${versions - 2}`), { recursive: true })
}
