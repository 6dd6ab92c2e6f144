// The gateway against a real API server, three nodes with real agents and real packets: who gets
// which files, and who does not.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Answer, GatewayClient } from '../../../support/kube/gatewayClient.ts'
import {
  packetCapture,
  type SimulatedNode,
  type SimulatedPod,
} from '../../../support/kube/simulated.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()

type Stage = {
  readonly nodes: readonly SimulatedNode[]
  readonly pods: readonly SimulatedPod[]
  readonly gateway: GatewayClient
  readonly token: string // of somebody who may read files in shop
  readonly stranger: string // of somebody who may not
}
let stage: Stage | undefined

const zipPath = '/packet-capture/download/shop/web/files.zip'
const filesPath = '/v1/namespaces/shop/packetcaptures/web/files'

const onStage = shared(async (): Promise<Stage> => {
  for (const name of ['shop', 'bank']) await cluster().api.kubectl('create', 'namespace', name)
  const nodes = await Promise.all(
    ['node-1', 'node-2', 'node-3'].map(name => cluster().addNode(name)),
  )
  const pods = await Promise.all(
    nodes.map((node, index) => node.addPod('shop', `web-${index}`, { app: 'web' })),
  )
  await Promise.all(nodes.map(node => node.startAgent()))
  const gateway = await GatewayClient.start(cluster())
  for (const name of ['dev', 'stranger'])
    await cluster().api.kubectl('create', 'serviceaccount', name, '-n', 'shop')
  await cluster().api.kubectl(
    'create',
    'rolebinding',
    'dev',
    '-n',
    'shop',
    '--clusterrole=selcap-files',
    '--serviceaccount=shop:dev',
  )
  const tokenOf = async (name: string) =>
    (await cluster().api.kubectl('create', 'token', name, '-n', 'shop')).trim()
  stage = { nodes, pods, gateway, token: await tokenOf('dev'), stranger: await tokenOf('stranger') }
  await cluster().apply(
    packetCapture('web', { selector: "app == 'web'", filters: [{ protocol: 'UDP' }] }),
  )
  await until('the taps', () => nodes.every(node => node.files('shop', 'web').length === 1))
  await gateway.reports(3)
  for (const [index, pod] of pods.entries())
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count: 10 + index })
  await until('the packets', () =>
    nodes.every((node, index) => node.records('shop', 'web') === 10 + index),
  )
  return stage
})

type Manifest = {
  readonly files: readonly {
    node: string
    file: string
    bytes: number
    sha256: string
    packets?: number
    active: boolean
    complete: boolean
  }[]
  readonly nodes: readonly { node: string; error?: string }[]
}

/** Unpacked with another program than made it. */
function unzip(
  t: ExecutionContext,
  body: Buffer,
): { readonly manifest: Manifest; read(path: string): Buffer } {
  const directory = mkdtempSync(join(cluster().directory, 'zip-'))
  writeFileSync(join(directory, 'files.zip'), body)
  execFileSync('python3', [
    '-m',
    'zipfile',
    '-e',
    join(directory, 'files.zip'),
    join(directory, 'out'),
  ])
  t.notThrows(() => execFileSync('python3', ['-m', 'zipfile', '-t', join(directory, 'files.zip')]))
  const read = (path: string) => readFileSync(join(directory, 'out', path))
  return { manifest: JSON.parse(read('manifest.json').toString()), read }
}

clusterTest(
  'files.zip holds every file of every node as it lies there, and a manifest that is true',
  async t => {
    const { gateway, nodes, token } = await onStage()
    const answer = await gateway.ask({ path: zipPath, token })
    t.is(answer.code, 200, answer.text)
    const { manifest, read } = unzip(t, answer.body)
    t.deepEqual(
      manifest.files.map(({ node, file, active, complete }) => [node, file, active, complete]),
      nodes.map(node => [node.name, node.files('shop', 'web')[0] ?? '', true, true]),
    )
    for (const [index, node] of nodes.entries()) {
      const file = node.files('shop', 'web')[0] ?? ''
      const bytes = read(`${node.name}/${file}`)
      t.deepEqual(bytes, readFileSync(join(node.captures, 'shop', 'web', file)))
      t.is(manifest.files[index]?.sha256, createHash('sha256').update(bytes).digest('hex'))
      t.is(manifest.files[index]?.packets, 10 + index)
    }
    t.is(answer.trailers['x-selcap-missing'], '')
  },
)

clusterTest(
  'nobody gets anything without a token, and a stranger is told the right that is missing',
  async t => {
    const { gateway, token, stranger } = await onStage()
    t.is((await gateway.ask({ path: zipPath })).code, 401)
    t.is((await gateway.ask({ path: zipPath, token: 'nonsense' })).code, 401)
    const refused = await gateway.ask({ path: zipPath, token: stranger })
    t.is(refused.code, 403)
    t.is(
      refused.text,
      'User "system:serviceaccount:shop:stranger" may not get packetcaptures/files in group "projectcalico.org" in the namespace "shop"\n',
    )
    const elsewhere = await gateway.ask({
      path: '/packet-capture/download/bank/web/files.zip',
      token,
    })
    t.is(elsewhere.code, 403)
    // The same for what is there and for what is not.
    const absent = await gateway.ask({
      path: '/packet-capture/download/shop/none/files.zip',
      token: stranger,
    })
    t.is(absent.code, 403)
    t.is(
      (await gateway.ask({ path: '/packet-capture/download/shop/none/files.zip', token })).code,
      404,
    )
    const wrongAudience = (
      await cluster().api.kubectl('create', 'token', 'dev', '-n', 'shop', '--audience=somebody')
    ).trim()
    t.is((await gateway.ask({ path: zipPath, token: wrongAudience })).code, 401)
  },
)

clusterTest(
  "the API server's service proxy keeps Authorization for itself: another header does as well",
  async t => {
    const { gateway, token } = await onStage()
    t.is(
      (
        await gateway.ask({
          path: filesPath,
          headers: { 'x-selcap-authorization': `Bearer ${token}` },
        })
      ).code,
      200,
    )
  },
)

clusterTest('one file comes whole, in ranges, with a tag and a digest that are true', async t => {
  const { gateway, nodes, token } = await onStage()
  const listed = await gateway.ask({ path: filesPath, token })
  const [first] = (
    JSON.parse(listed.text) as {
      files: { node: string; file: string; bytes: number; active: boolean }[]
    }
  ).files
  const path = `${filesPath}/${first?.node}/${first?.file}`
  const disk = readFileSync(join(nodes[0]?.captures ?? '', 'shop', 'web', first?.file ?? ''))
  const whole = await gateway.ask({ path, token })
  t.deepEqual(
    [whole.code, whole.body, whole.headers['content-length']],
    [200, disk, String(disk.length)],
  )
  t.is(
    whole.headers['repr-digest'],
    `sha-256=:${createHash('sha256').update(disk).digest('base64')}:`,
  )
  const head = await gateway.ask({ path, token, method: 'HEAD' })
  t.deepEqual([head.code, head.body.length, head.headers.etag], [200, 0, whole.headers.etag])
  const rows = [
    ['bytes=0-9', 206, disk.subarray(0, 10)],
    ['bytes=24-', 206, disk.subarray(24)],
    ['bytes=-5', 206, disk.subarray(-5)],
    [`bytes=${disk.length}-`, 416, Buffer.alloc(0)],
    ['bytes=0-1,4-5', 200, disk],
    ['lines=1-2', 200, disk],
  ] as const
  for (const [range, code, body] of rows) {
    const part = await gateway.ask({ path, token, headers: { range } })
    t.deepEqual([part.code, part.body], [code, body], range)
  }
})

clusterTest('a download that broke off is taken up again, though the file has grown', async t => {
  const { gateway, pods, nodes, token } = await onStage()
  const file = nodes[0]?.files('shop', 'web')[0] ?? ''
  const path = `${filesPath}/node-1/${file}`
  const before = await gateway.ask({ path, token })
  await pods[0]?.sender.udp({ to: pods[0].hostAddress, port: 9, count: 5 })
  await until('it to grow', () => nodes[0]?.records('shop', 'web') === 15)
  const { etag = '' } = before.headers
  const rest = await gateway.ask({
    path,
    token,
    headers: { range: 'bytes=100-', 'if-range': String(etag) },
  })
  t.is(rest.code, 206)
  t.deepEqual(Buffer.concat([before.body.subarray(0, 100), rest.body]), before.body)
  t.is(rest.headers['repr-digest'], before.headers['repr-digest'])
  const other = await gateway.ask({
    path,
    token,
    headers: { range: 'bytes=100-', 'if-range': '"0123456789abcdef-7"' },
  })
  t.is(other.code, 200)
})

const tricks = [
  '..',
  '%2e%2e',
  '..%2f..%2f.selcap.json',
  '.selcap.json',
  '%00',
  'a%00b',
  '%2fetc%2fpasswd',
  'x'.repeat(299),
  '..%5c..',
]
for (const trick of tricks) {
  clusterTest(`a file called ${trick.slice(0, 30)} is not there`, async t => {
    const { gateway, token } = await onStage()
    for (const path of [
      `${filesPath}/node-1/${trick}`,
      `${filesPath}/${trick}/web`,
      `/packet-capture/download/shop/${trick}/files.zip`,
    ]) {
      const { code, text } = await gateway.ask({ path, token })
      t.true([400, 404].includes(code), `${path}: ${code} ${text}`)
      t.false(text.includes('root:') || text.includes('"rows"'))
    }
  })
}

clusterTest('a node that does not answer is told of, and the zip is made all the same', async t => {
  const { gateway, nodes, token } = await onStage()
  await nodes[2]?.stopAgent('SIGKILL')
  const answer: Answer = await gateway.ask({ path: zipPath, token })
  const { manifest } = unzip(t, answer.body)
  t.deepEqual([...new Set(manifest.files.map(({ node }) => node))], ['node-1', 'node-2'])
  t.regex(
    manifest.nodes.find(({ node }) => node === 'node-3')?.error ?? '',
    /ECONNREFUSED|no answer/,
  )
  t.is(answer.trailers['x-selcap-missing'], 'node-3')
  await nodes[2]?.startAgent()
  await until(
    'it to be back',
    async () => (await gateway.ask({ path: zipPath, token })).trailers['x-selcap-missing'] === '',
  )
})

clusterTest('files are removed only when nobody captures any more', async t => {
  const { gateway, nodes, token, stranger } = await onStage()
  const path = '/packet-capture/files/shop/web/files.zip'
  t.is((await gateway.ask({ path, token: stranger, method: 'DELETE' })).code, 403)
  const busy = await gateway.ask({ path, token, method: 'DELETE' })
  t.deepEqual(
    [busy.code, busy.text],
    [
      409,
      'Cannot clean files while they are captured: on node-1, node-2, node-3. Set endTime to now first: kubectl pcap stop web -n shop\n',
    ],
  )
  const patch = JSON.stringify({ spec: { endTime: new Date().toISOString() } })
  await cluster().api.kubectl(
    'patch',
    'packetcapture',
    'web',
    '-n',
    'shop',
    '--type=merge',
    '-p',
    patch,
  )
  await until(
    'the end',
    async () => (await gateway.ask({ path, token, method: 'DELETE' })).code === 204,
  )
  t.deepEqual(
    nodes.map(node => node.files('shop', 'web')),
    [[], [], []],
  )
  const { items } = await cluster().get<{ items: { reason: string; message: string }[] }>(
    'events',
    '-n',
    'shop',
  )
  t.true(
    items.some(
      ({ reason, message }) =>
        reason === 'Downloaded' &&
        /^system:serviceaccount:shop:dev had files\.zip, \d+ bytes \(done\)$/.test(message),
    ),
  )
  t.true(items.some(({ reason }) => reason === 'Cleaned'))
})
