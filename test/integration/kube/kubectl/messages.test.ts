// What the plugin says to people who mistype, mean several, or ask for what does not match yet; and
// output for scripts. By the real kubectl and a real API server; nobody captures.
import { join } from 'node:path'
import { parse } from 'yaml'
import type { PublishedCapture } from '../../../../src/publish/statusDirectory.ts'
import { startChild } from '../../../support/kube/child.ts'
import { makeStage, type Stage } from '../../../support/kube/pluginFixture.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'

const { cluster, clusterTest } = useSimulated()

const onStage = shared((): Promise<Stage> => makeStage(cluster(), { isCapturing: false }))

const matching = ['-l', 'app == "web"']

clusterTest('a duration without a unit is refused, for who types 10 may mean minutes', async t => {
  const { pcap } = await onStage()
  for (const flag of ['--for', '--limit-duration', '--ttl', '--timeout']) {
    const { code, err } = await pcap('create', 'x', ...matching, flag, '10')
    t.is(code, 2)
    t.regex(
      err,
      new RegExp(
        `^error: option '${flag} <duration>' argument '10' is invalid. Expected a duration with its unit: 10s, 10m or 10h\\?\n`,
      ),
    )
  }
})

clusterTest('protocols may be written as people write them', async t => {
  const { pcap } = await onStage()
  const { out } = await pcap(
    'create',
    'x',
    '--protocol',
    'tcp,icmpv6,47',
    '--filter',
    'udp/53',
    '--dry-run',
    '-o',
    'yaml',
  )
  t.deepEqual((parse(out) as PublishedCapture).spec.filters, [
    { protocol: 'TCP' },
    { protocol: 'ICMPv6' },
    { protocol: 47 },
    { protocol: 'UDP', ports: [53] },
  ])
  const { code, err } = await pcap('create', 'x', '--protocol', 'http', '--dry-run')
  t.is(code, 2)
  t.regex(err, /found "http", expected one of TCP, UDP, ICMP/)
})

clusterTest(
  'create warns when no pod matches now, and says nothing when one does, or pods may not be seen',
  async t => {
    const { pcap } = await onStage()
    const spec = { nodeName: 'node-1', containers: [{ name: 'main', image: 'app' }] }
    await cluster().apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1' } })
    await cluster().apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-0', namespace: 'shop', labels: { app: 'web' } },
      spec,
    })
    const status = JSON.stringify({
      status: { phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] },
    })
    await cluster().api.kubectl(
      'patch',
      'pod',
      'web-0',
      '-n',
      'shop',
      '--subresource=status',
      '--type=merge',
      '-p',
      status,
    )
    const nobody = await pcap('create', 'nobody', '-l', 'app == "nobody"')
    t.deepEqual([nobody.code, nobody.out], [0, 'packetcapture.projectcalico.org/nobody created\n'])
    const warning =
      'Warning: in namespace "shop" no pod matches the selector now; pods that come later are captured\n'
    t.is(nobody.err, warning)
    t.is(
      (await pcap('create', 'never', '-l', 'app == "nobody"', '--dry-run=server', '-o', 'name'))
        .err,
      warning,
    )
    t.deepEqual(await pcap('create', 'web', ...matching), {
      code: 0,
      out: 'packetcapture.projectcalico.org/web created\n',
      err: '',
    })
    await cluster().api.kubectl('delete', 'rolebinding', 'dev-look', '-n', 'shop')
    t.is((await pcap('create', 'blind', '-l', 'app == "nobody"')).err, '')
  },
)

clusterTest(
  'of several names each has its turn, and the exit code tells of those that failed',
  async t => {
    const { pcap } = await onStage()
    for (const name of ['one', 'two']) await pcap('create', name, ...matching)
    const stopped = await pcap('stop', 'none', 'one', 'nil', 'two', '-o', 'name')
    t.deepEqual(
      [stopped.code, stopped.out],
      [3, 'packetcapture.projectcalico.org/one\npacketcapture.projectcalico.org/two\n'],
    )
    t.is(
      stopped.err,
      ['none', 'nil']
        .map(
          name =>
            `Cannot get capture "${name}": packetcaptures.projectcalico.org "${name}" not found\n`,
        )
        .join(''),
    )
    const described = await pcap('describe', 'one', 'none', 'two')
    t.is(described.code, 3)
    t.deepEqual(Array.from(described.out.matchAll(/^Name: +(\w+)$/gm), ([, name]) => name), ['one', 'two']) // biome-ignore format: one line
    const deleted = await pcap('delete', 'none', 'one', 'two', '-o', 'name')
    t.deepEqual([deleted.code, deleted.out], [3, stopped.out])
    t.is((await pcap('describe', 'one')).code, 3)
  },
)

clusterTest(
  'describe -o json and yaml have the capture and the verdict on each pod, or why there is none',
  async t => {
    const { pcap, asAdmin } = await onStage()
    type Described = {
      capture: PublishedCapture
      pods?: { pod: string; isTaken: boolean }[]
      podsUnknown?: string
    }
    const one = JSON.parse(
      (await asAdmin('describe', 'web', '-n', 'shop', '-o', 'json')).out,
    ) as Described
    t.is(one.capture.metadata.name, 'web')
    t.deepEqual(one.pods?.map(({ pod, isTaken }) => [pod, isTaken]), [['web-0', true]]) // biome-ignore format: one line
    const both = parse((await pcap('describe', 'web', 'nobody', '-o', 'yaml')).out) as Described[]
    t.deepEqual(both.map(each => each.capture.metadata.name), ['web', 'nobody']) // biome-ignore format: one line
    t.regex(both[0]?.podsUnknown ?? '', /^Cannot list pods: .*forbidden/)
    t.is(
      (await pcap('describe', 'web', 'nobody', '-o', 'name')).out,
      'packetcapture.projectcalico.org/web\npacketcapture.projectcalico.org/nobody\n',
    )
  },
)

clusterTest(
  'who may make captures, and read neither their files nor Secrets, can send no files on',
  async t => {
    const { pcap, asAdmin } = await onStage()
    const flags = [
      '--upload',
      's3://captures/shop',
      '--upload-region',
      'eu-central-1',
      '--upload-secret',
      'keys',
      '-n',
      'shop',
    ]
    const { code, err } = await pcap('create', 'leak', ...matching, ...flags)
    t.is(code, 4, err)
    t.regex(err, /an output that names a Secret takes the right to get that Secret: keys\n$/)
    const made = await asAdmin(
      'create',
      'kept',
      ...matching,
      ...flags,
      '--dry-run=server',
      '-o',
      'json',
    )
    t.is(made.code, 0, made.err)
    const expected = {
      s3Upload: { bucket: 'captures', path: 'shop', region: 'eu-central-1', secretName: 'keys' },
      cleanUpAfterUpload: false,
    }
    t.deepEqual((JSON.parse(made.out) as PublishedCapture).spec.output, expected)
  },
)

clusterTest(
  'the proxy that the environment names is used, unless it names the server as an exception',
  async t => {
    const { userKubeconfig } = await onStage()
    const program = join(
      import.meta.dirname,
      '..',
      '..',
      '..',
      'support',
      'kube',
      'connectProxy.ts',
    )
    const inside = [
      'nsenter',
      `--net=${cluster().networkPath}`,
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
    ]
    const proxy = startChild('proxy', [...inside, process.execPath, program, '3128'], {
      logFile: join(cluster().directory, 'proxy.log'),
    })
    t.teardown(() => proxy.stop('SIGKILL'))
    await proxy.ready(() => Promise.resolve(proxy.tail().includes('listening')))
    const seen = () => proxy.tail(100).split('\n').filter(line => line === 'CONNECT 198.19.255.1:6443').length // biome-ignore format: one line
    const list = (env: Record<string, string>) => {
      const set = Object.entries(env).map(([name, value]) => `${name}=${value}`)
      const child = startChild(
        'plugin',
        [...inside, 'env', ...set, 'kubectl-pcap', 'list', '--kubeconfig', userKubeconfig],
        {
          logFile: join(cluster().directory, `list-${set.length}.log`),
        },
      )
      return child.whenEnded().then(() => child.tail())
    }
    const direct = await list({
      HTTPS_PROXY: 'http://127.0.0.1:3128',
      NO_PROXY: '198.19.0.0/16',
      A: '1',
    })
    t.regex(direct, /^web +app == "web"/m)
    t.is(seen(), 0)
    t.regex(await list({ HTTPS_PROXY: 'http://127.0.0.1:3128' }), /^web +app == "web"/m)
    t.true(seen() > 0)
    t.regex(
      await list({ HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'example.test' }),
      /^Cannot reach the API server: .*ECONNREFUSED 127\.0\.0\.1:1/m,
    )
  },
)
