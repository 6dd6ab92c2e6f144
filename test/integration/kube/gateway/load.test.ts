// What the gateway and an agent hold under load: two gigabytes, two hundred downloads at once,
// readers that go or never begin.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { connect } from 'node:tls'
import {
  addBigFile,
  descriptorsOf,
  filesPath,
  listed,
  makeStage,
  memoryOf,
  pidOf,
  type Stage,
  zipPath,
} from '../../../support/kube/gatewayFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const patienceMs = 300_000
const gigabytes = 2_147_483_648 + 12_345 // more than 2 GiB
// Another program's word that all is whole, and the manifest.
const readZip =
  "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.read('manifest.json').decode())"
const onStage = shared((): Promise<Stage> => makeStage(cluster()))

async function sha256Of(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk)
  return hash.digest('hex')
}

clusterTest(
  'two gigabytes go through a gateway that holds less than 150 MB, and leave the agent as small as it was',
  async t => {
    t.timeout(patienceMs)
    const at = await onStage()
    const { name, path } = await addBigFile(at, gigabytes)
    const [gateway, agent] = [pidOf(at.gateway.child), pidOf(at.node.agent)]
    const agentBefore = memoryOf(agent).now
    const expected = await sha256Of(createReadStream(path, { highWaterMark: 1_048_576 }))

    const single = await at.gateway.open({ path: `${filesPath}/node-1/${name}`, token: at.dev })
    t.is(single.headers['content-length'], String(gigabytes))
    t.is(await sha256Of(single), expected)
    t.is(
      single.headers['repr-digest'],
      `sha-256=:${Buffer.from(expected, 'hex').toString('base64')}:`,
    )

    const zip = join(cluster().directory, 'big.zip')
    t.teardown(() => rmSync(zip, { force: true }))
    const response = await at.gateway.open({ path: zipPath, token: at.dev })
    await pipeline(response, createWriteStream(zip))
    t.is(response.trailers['x-selcap-missing'], '')
    const manifest = JSON.parse(execFileSync('python3', ['-c', readZip, zip], { encoding: 'utf8' }))
    t.like(
      manifest.files.find(({ file }: { file: string }) => file === name),
      { bytes: gigabytes, sha256: expected, complete: true },
    )

    const [gatewayPeak, agentPeak] = [memoryOf(gateway).peak, memoryOf(agent).peak]
    t.log(
      `gateway ${Math.round(gatewayPeak / 1e6)} MB at most; agent ${Math.round(agentBefore / 1e6)}, ${Math.round(agentPeak / 1e6)} MB at most`,
    )
    t.true(gatewayPeak < 150_000_000, `${gatewayPeak} bytes`)
    t.true(agentPeak < agentBefore + 64_000_000, `${agentBefore}, then ${agentPeak} bytes`)
  },
)

clusterTest(
  'two hundred downloads run at once; who asks for more than 16, or the 257th, is told when to come again',
  async t => {
    t.timeout(patienceMs)
    const at = await onStage()
    const { name } = await addBigFile(at, 64_000_000)
    const path = `${filesPath}/node-1/${name}`
    const [gateway, agent] = [pidOf(at.gateway.child), pidOf(at.node.agent)]
    await at.cluster.api.kubectl('create', 'namespace', 'people')
    const group = '--group=system:serviceaccounts:people'
    await at.cluster.api.kubectl(
      'create',
      'rolebinding',
      'people',
      '-n',
      'shop',
      '--clusterrole=selcap-files',
      group,
    )
    const names = Array.from({ length: 16 }, (_, index) => `user-${index}`)
    const metadata = (user: string) => ({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: user, namespace: 'people' },
    })
    await at.cluster.apply(...names.map(metadata))
    const tokens = await Promise.all(
      names.map(async user =>
        (await at.cluster.api.kubectl('create', 'token', user, '-n', 'people')).trim(),
      ),
    )
    const [first = ''] = tokens
    await until(
      'the right',
      async () => (await at.gateway.ask({ path, token: first, method: 'HEAD' })).code === 200,
    )
    const before = { gateway: descriptorsOf(gateway).length, agent: heldBy(agent, at) }

    const held: IncomingMessage[] = []
    t.teardown(() => {
      for (const response of held) response.destroy()
    })
    // User by user: what counts is how many are held, and 256 handshakes at once are slow here.
    const openAll = async (users: readonly string[]): Promise<readonly IncomingMessage[]> => {
      const opened: IncomingMessage[] = []
      for (const token of users) {
        const each = Array.from({ length: 16 }, () => at.gateway.open({ path, token }))
        opened.push(...(await Promise.all(each)))
      }
      held.push(...opened)
      return opened
    }
    const open = await openAll(tokens.slice(0, 13))
    t.deepEqual(
      [open.length, [...new Set(open.map(({ statusCode }) => statusCode))]],
      [208, [200]],
      at.gateway.child.tail(5),
    )
    t.true(heldBy(agent, at) > 150) // held up by readers who do not read
    const refused = await at.gateway.ask({ path, token: first })
    t.deepEqual([refused.code, refused.headers['retry-after']], [429, '5'])
    t.regex(
      refused.text,
      /^Too many requests of user "system:serviceaccount:people:user-0": try again in 5 s\n$/,
    )
    const [peakGateway, peakAgent] = [memoryOf(gateway).peak, memoryOf(agent).peak]
    t.log(
      `208 downloads held: gateway ${Math.round(peakGateway / 1e6)} MB at most, agent ${Math.round(peakAgent / 1e6)} MB at most`,
    )

    const more = await openAll(tokens.slice(13))
    t.is(more.length, 48)
    const last = await at.gateway.ask({ path, token: at.dev })
    t.is(last.code, 429) // 256 of all
    t.is((await at.gateway.ask({ path: '/readyz' })).code, 200)

    const [kept, let_go] = [open.slice(0, 6), [...open.slice(6), ...more]]
    for (const response of let_go) response.destroy()
    const sums = await Promise.all(kept.map(sha256Of))
    t.deepEqual(
      [...new Set(sums)],
      [await sha256Of(createReadStream(join(at.node.captures, 'shop', 'web', name)))],
    )
    await until('the descriptors to be closed', () => heldBy(agent, at) === before.agent)
    await until(
      'the connections to be closed',
      () => descriptorsOf(gateway).length <= before.gateway + 8,
    ) // some to the agent are kept
    t.is((await at.gateway.ask({ path, token: at.dev, headers: { range: 'bytes=0-0' } })).code, 206)
    t.true(memoryOf(agent).peak < 400_000_000)
  },
)

/** How many of its captures' files it has open. */
function heldBy(agent: number, { node }: Stage): number {
  return descriptorsOf(agent).filter(path => path.startsWith(node.captures) && /\.pcap$/.test(path))
    .length
}

for (const [what, path] of [
  ['file', 'one'],
  ['zip', 'all'],
] as const) {
  clusterTest(`a reader of a ${what} who goes in the middle leaves nothing behind`, async t => {
    const at = await onStage()
    const [big] = (await listed(at.gateway, at.dev)).toSorted((a, b) => b.bytes - a.bytes)
    const agent = pidOf(at.node.agent)
    const before = heldBy(agent, at)
    for (let round = 0; round < 10; round++) {
      const response = await at.gateway.open({
        path: path === 'all' ? zipPath : `${filesPath}/node-1/${big?.file}`,
        token: at.dev,
      })
      await once(response, 'readable')
      response.destroy()
    }
    await until('the files to be closed', () => heldBy(agent, at) === before)
    await until('it to be told', () => broken(at) >= 10)
    t.pass()
  })
}

const broken = ({ gateway }: Stage): number =>
  gateway.child.tail(100_000).split('"result":"broken off"').length - 1

clusterTest(
  'a client that sends a header at a time is cut off, and keeps nobody out meanwhile',
  async t => {
    const at = await onStage()
    const sockets = Array.from({ length: 50 }, () =>
      connect({ path: at.gateway.socket, rejectUnauthorized: false }).on('error', () => {}),
    )
    await Promise.all(sockets.map(socket => once(socket, 'secureConnect')))
    const drip = setInterval(
      () => sockets.filter(({ writable }) => writable).map(socket => socket.write('X: y\r\n')),
      500,
    )
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\n')
    const answers = sockets.map(socket => buffer(socket).then(String, () => ''))
    t.is((await at.gateway.ask({ path: zipPath, token: at.dev, method: 'HEAD' })).code, 200)
    const said = await Promise.all(answers)
    clearInterval(drip)
    t.true(said.some(text => text.startsWith('HTTP/1.1 408 ')))
  },
)

clusterTest('HEAD tells what GET would, on every path, and has no body', async t => {
  const { gateway, dev, stranger } = await onStage()
  const [first] = await listed(gateway, dev)
  const file = `${filesPath}/node-1/${first?.file}`
  const rows = [
    ['/healthz', undefined],
    ['/readyz', undefined],
    ['/nothing', dev],
    [filesPath, dev],
    [filesPath, stranger],
    [filesPath, undefined],
    [zipPath, dev],
    [zipPath, stranger],
    [file, dev],
    [file, stranger],
    [`${filesPath}/node-1/none.pcap`, dev],
    ['/packet-capture/download/shop/none/files.zip', dev],
  ] as const
  for (const [path, token] of rows) {
    const asked = { path, ...(token !== undefined && { token }) }
    const [get, head] = [await gateway.open(asked), await gateway.ask({ ...asked, method: 'HEAD' })]
    get.destroy()
    t.is(head.body.length, 0)
    const told = [
      'content-length',
      'etag',
      'repr-digest',
      'content-type',
      'www-authenticate',
    ] as const
    t.deepEqual(
      [head.code, ...told.map(name => head.headers[name])],
      [get.statusCode, ...told.map(name => get.headers[name])],
      `${path}`,
    )
  }
})

clusterTest('no token comes into a log, of those that are refused neither', async t => {
  const at = await onStage()
  const made = [
    'nonsense-but-secret',
    (
      await at.cluster.api.kubectl('create', 'token', 'dev', '-n', 'shop', '--audience=elsewhere')
    ).trim(),
  ]
  for (const token of [at.stranger, ...made]) {
    const answer = await at.gateway.ask({ path: zipPath, token })
    t.is(answer.code, token === at.stranger ? 403 : 401)
    t.is(
      (
        await at.gateway.ask({
          path: zipPath,
          headers: { 'x-selcap-authorization': `Bearer ${token}` },
        })
      ).code,
      answer.code,
    )
  }
  const log = at.gateway.child.tail(1_000_000) + at.node.agent.tail(1_000_000)
  for (const result of ['403', '429', '"broken off"', '"done"'])
    t.true(log.includes(`"result":${result}`), result)
  for (const secret of [at.dev, at.stranger, ...made]) t.false(log.includes(secret))
  t.notRegex(log, /Bearer|eyJ[\w-]{20}/)
})
