// The gateway's figures, scraped where Prometheus would, after real requests: each is held to what
// the client saw.
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import {
  addBigFile,
  addCapture,
  filesPath,
  listed,
  makeStage,
  type Stage,
  zipPath,
} from '../../../support/kube/gatewayFixture.ts'
import { type Figures, followFigures } from '../../../support/kube/metrics.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { readStream } from '../../../support/pcap/pcapng.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
let stage: (Stage & { readonly figures: Figures }) | undefined

const onStage = shared(async () => {
  const made = await makeStage(cluster())
  stage = { ...made, figures: await followFigures(cluster(), made.gateway.child) }
  return stage
})

type Counts = Readonly<Record<string, number>>

/** How far each of the figures went while that was done; the last answers may just have left. */
async function change(
  figures: Figures,
  expected: Counts,
  act: () => Promise<unknown>,
): Promise<Counts> {
  const before = await figures()
  await act()
  const names = Object.keys(expected)
  const read = async () => {
    const now = await figures()
    return Object.fromEntries(
      names.map(name => [name, (now.get(name) ?? 0) - (before.get(name) ?? 0)]),
    )
  }
  await until(
    'the figures',
    async () => JSON.stringify(await read()) === JSON.stringify(expected),
  ).catch(() => {}) // shown by the test
  return read()
}

const requests = (route: string, code: number | 'none') =>
  `selcap_gateway_requests_total{route="${route}",code="${code}"}`
const refused = (reason: string) => `selcap_gateway_refused_total{reason="${reason}"}`

clusterTest('/metrics counts answers by what was asked for, and every byte that left', async t => {
  const { gateway, dev, figures } = await onStage()
  const [first] = await listed(gateway, dev)
  const file = `${filesPath}/node-1/${first?.file}`
  const before = await figures()
  const bytes = { file: 0, zip: 0 }
  const counted = await change(
    figures,
    {
      [requests('file', 200)]: 2,
      [requests('file', 206)]: 1,
      [requests('zip', 200)]: 1,
      [requests('list', 404)]: 1,
      [requests('other', 404)]: 1,
    },
    async () => {
      bytes.file += (await gateway.ask({ path: file, token: dev })).body.length
      bytes.file += (
        await gateway.ask({ path: file, token: dev, headers: { range: 'bytes=0-9' } })
      ).body.length
      await gateway.ask({ path: file, token: dev, method: 'HEAD' })
      bytes.zip += (await gateway.ask({ path: zipPath, token: dev })).body.length
      await gateway.ask({ path: filesPath.replace('/web/', '/none/'), token: dev })
      await gateway.ask({ path: '/admin', token: dev })
    },
  )
  t.deepEqual(Object.values(counted), [2, 1, 1, 1, 1])
  const after = await figures()
  for (const route of ['file', 'zip'] as const) {
    const name = `selcap_gateway_bytes_total{route="${route}"}`
    t.true(bytes[route] > 0)
    t.is((after.get(name) ?? 0) - (before.get(name) ?? 0), bytes[route])
  }
})

clusterTest(
  '/metrics counts refusals by reason: no token, no right, too many at once, too often',
  async t => {
    const at = await onStage()
    const { gateway, dev, stranger, figures } = at
    const { name } = await addBigFile(at, 64_000_000)
    const path = `${filesPath}/node-1/${name}`
    const expected = {
      [refused('Unauthorized')]: 2,
      [refused('Forbidden')]: 1,
      [refused('TooManyOfUser')]: 1,
      [refused('TooManyOfAll')]: 0,
      [requests('file', 429)]: 1,
      [requests('file', 'none')]: 0,
      'selcap_gateway_broken_off_total{route="file"}': 16,
    }
    const counted = await change(figures, expected, async () => {
      await gateway.ask({ path })
      await gateway.ask({ path, token: 'nonsense' })
      await gateway.ask({ path, token: stranger })
      const open = await Promise.all(
        Array.from({ length: 16 }, () => gateway.open({ path, token: dev })),
      )
      t.is((await figures()).get('selcap_gateway_running{route="file"}'), 16)
      t.is((await gateway.ask({ path, token: dev })).code, 429)
      for (const response of open) response.destroy()
    })
    t.deepEqual(counted, expected)
    t.is((await figures()).get('selcap_gateway_running{route="file"}'), 0)
  },
)

clusterTest(
  'one user may ask 600 times a minute, is then told how long to wait, and keeps nobody else out',
  async t => {
    t.timeout(120_000)
    const { cluster: at, gateway, dev, figures } = await onStage()
    await at.api.kubectl('create', 'serviceaccount', 'busy', '-n', 'shop')
    await at.api.kubectl(
      'create',
      'rolebinding',
      'busy',
      '-n',
      'shop',
      '--clusterrole=selcap-files',
      '--serviceaccount=shop:busy',
    )
    const token = (await at.api.kubectl('create', 'token', 'busy', '-n', 'shop')).trim()
    const path = filesPath.replace('/web/', '/none/')
    await until('the right', async () => (await gateway.ask({ path, token })).code === 404)
    const counted = await change(figures, { [refused('TooOften')]: 1 }, async () => {
      const codes: number[] = []
      while (codes.length < 1_200 && codes.at(-1) !== 429)
        codes.push((await gateway.ask({ path, token })).code)
      t.is(codes.at(-1), 429)
      t.true(codes.length > 500, `${codes.length}`) // 600, without those that asked for the right
    })
    t.deepEqual(counted, { [refused('TooOften')]: 1 })
    const { text, headers } = await gateway.ask({ path, token })
    const seconds = Number(headers['retry-after'])
    t.true(seconds >= 1 && seconds <= 60, `${seconds}`)
    t.is(
      text,
      `Too many requests of user "system:serviceaccount:shop:busy": try again in ${seconds} s\n`,
    )
    t.is((await gateway.ask({ path: filesPath, token: dev })).code, 200)
  },
)

clusterTest('/metrics counts agents that do not answer, and those that break off', async t => {
  const { gateway, dev, figures, node } = await onStage()
  const big = (await listed(gateway, dev)).find(({ bytes }) => bytes > 1_000_000)
  const failures = {
    'selcap_gateway_agent_failures_total{node="node-1"}': 2,
    'selcap_gateway_broken_off_total{route="file"}': 1,
  }
  const counted = await change(figures, failures, async () => {
    const response = await gateway.open({ path: `${filesPath}/node-1/${big?.file}`, token: dev })
    await once(response, 'readable')
    await node.stopAgent('SIGKILL')
    await t.throwsAsync(buffer(response))
    t.is((await gateway.ask({ path: filesPath, token: dev })).code, 200)
  })
  t.deepEqual(counted, failures)
  t.regex(
    gateway.child.tail(1_000),
    /"node":"node-1","path":"\/v1\/captures\/shop\/web\/[^"]*","reason":"[^"]+","msg":"agent did not answer, or broke off"/,
  )
  await node.startAgent()
  await until('it to be back', async () => (await listed(gateway, dev)).length > 1)
})

clusterTest(
  'what a live stream lacks, because its reader is slow, is counted there and in /metrics, and no file lacks it',
  async t => {
    t.timeout(180_000)
    const at = await onStage()
    const { gateway, dev, figures, node, pod } = at
    const count = 60_000 // 86 MB: more than all buffers on the way hold
    await addCapture(at, 'fast', { rotation: { maxSizeBytes: 200_000_000 } })
    const [file = ''] = node.files('shop', 'fast')
    const path = join(node.captures, 'shop', 'fast', file)
    const dropped = 'selcap_gateway_stream_packets_dropped_total'
    const before = (await figures()).get(dropped) ?? 0
    const response = await gateway.open({
      path: '/v1/namespaces/shop/packetcaptures/fast/stream',
      token: dev,
    })
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    await until('the interface', () => readStream(Buffer.concat(chunks)).interfaces.length === 1)
    response.pause() // and nobody reads on
    t.is((await figures()).get('selcap_gateway_running{route="stream"}'), 1)
    await pod.sender.udp({ to: pod.hostAddress, port: 9, count, bytes: 1_400, gapMs: 0.05 })
    await until(
      'all of it to be in the file',
      () => statSync(path).size === 24 + count * (16 + 42 + 1_400),
    )
    t.is(node.records('shop', 'fast'), count)
    const patch = JSON.stringify({ spec: { endTime: new Date().toISOString() } })
    await at.cluster.api.kubectl(
      'patch',
      'packetcapture',
      'fast',
      '-n',
      'shop',
      '--type=merge',
      '-p',
      patch,
    )
    response.resume()
    await once(response, 'end')
    const { packets, statistics } = readStream(Buffer.concat(chunks))
    const told = statistics.get(0)?.at(-1)
    t.true(packets.length < count)
    t.deepEqual(
      [told?.received, told?.delivered, told?.dropped],
      [count, packets.length, count - packets.length],
    )
    await until(
      'the stream to be over',
      async () => (await figures()).get('selcap_gateway_running{route="stream"}') === 0,
    )
    const after = await figures()
    t.is((after.get(dropped) ?? 0) - before, count - packets.length)
    t.true((after.get('selcap_gateway_bytes_total{route="stream"}') ?? 0) > packets.length * 1_400)
  },
)
