// `kubectl pcap` over Retina's captures, as a user with rights in one namespace: made by flags,
// listed beside others, described, fetched as the archives that the nodes made, deleted.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { RetinaStatus } from '../../../../src/api/retina/status.ts'
import { exitCodes } from '../../../../src/model/codes.ts'
import { addGateway, makeUser } from '../../../support/kube/pluginFixture.ts'
import { addPodsWithoutAgent } from '../../../support/kube/podsWithoutAgent.ts'
import { type RetinaStage, useRetina } from '../../../support/kube/retinaFixture.ts'
import { packetCapture } from '../../../support/kube/simulated.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { root } from '../../../support/repository.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const onRetina = useRetina(cluster)
type User = {
  readonly stage: RetinaStage
  readonly pcap: (...args: string[]) => ReturnType<RetinaStage['cluster']['api']['ask']>
}

const onStage = shared(async (): Promise<User> => {
  process.env.PATH = `${join(root, 'bin')}${delimiter}${process.env.PATH}`
  const stage = await onRetina()
  const kubeconfig = await makeUser(cluster())
  await addGateway(cluster(), ['--apis', 'retina'])
  for (const role of ['edit', 'files'])
    await cluster().api.kubectl(
      'create',
      'rolebinding',
      `dev-retina-${role}`,
      '-n',
      'shop',
      `--clusterrole=selcap-retina-${role}`,
      '--serviceaccount=shop:dev',
    )
  const pcap: User['pcap'] = (...args) =>
    cluster().api.ask(['pcap', ...args, '--kubeconfig', kubeconfig], { timeoutMs: 180_000 })
  return { stage, pcap }
})

clusterTest('create --api retina shows what it would make, as a node would read it', async t => {
  const { pcap } = await onStage()
  const flags = [
    '--pod-selectors',
    'app=web',
    '--exclude-filter',
    '22',
    '--protocol',
    'udp',
    '--for',
    '1m',
    '--limit-bytes',
    '50MB',
    '--no-metadata',
  ]
  const { code, out, err } = await pcap(
    'create',
    'shown',
    '--api',
    'retina',
    ...flags,
    '--dry-run=server',
    '-o',
    'json',
  )
  t.deepEqual([code, err], [0, ''])
  t.like(JSON.parse(out).spec, {
    captureConfiguration: {
      captureTarget: { podSelector: { matchLabels: { app: 'web' } } },
      captureOption: { duration: '60s', maxCaptureSize: 50, pcapFilter: '(udp)' },
      filters: { exclude: ['22'] },
      includeMetadata: false,
    },
    outputConfiguration: { hostPath: 'shown' },
  })
})

clusterTest(
  'create --api retina refuses what a Capture cannot say, and what a node would refuse',
  async t => {
    const { pcap } = await onStage()
    const refused: readonly (readonly [readonly string[], RegExp])[] = [
      [['--api', 'retina', '--ttl', '1h'], /Cannot use --ttl with --api retina/],
      [['--api', 'retina', '--selector', 'all()'], /Cannot use --selector with --api retina/],
      [
        ['--api', 'retina', '--include-filter', 'example.com'],
        /Cannot capture: invalid filter example\.com/,
      ],
      [['--api', 'retina', '--host-path', '/etc'], /hostPath must be a relative subpath name/],
      [
        ['--api', 'retina', '--pod', 'web-0', '--pod-selectors', 'a=b'],
        /PodNames is not compatible with/,
      ],
      [
        ['--api', 'retina', '--pod-selectors', 'web'],
        /Cannot read label "web": expected name=value/,
      ],
      [['--exclude-filter', '22'], /expected --api retina/],
      [['--api', 'packetcaptureconfig'], /Cannot create a PacketCaptureConfig by flags/],
      [['--api', 'pcap'], /Expected packetcapture, retina, packetcaptureconfig/],
    ]
    for (const [flags, words] of refused) {
      const { code, err } = await pcap('create', 'refused', ...flags)
      t.is(code, exitCodes.usage, err)
      t.regex(err, words)
    }
    const { code, err } = await pcap(
      'create',
      'nodes',
      '--api',
      'retina',
      '--node-selectors',
      'kubernetes.io/os=linux',
      '--for',
      '1m',
    )
    t.is(code, exitCodes.notAllowed, err)
    t.regex(err, /captures\/host/)
  },
)

clusterTest(
  'a Capture is made, waited for and fetched with one command, and is gone with another',
  async t => {
    const { stage, pcap } = await onStage()
    const made = pcap(
      'create',
      'trace',
      '--api',
      'retina',
      '--pod',
      'web-0,web-1',
      '--protocol',
      'udp',
      '--for',
      '20s',
      '--no-metadata',
      '--timeout',
      '150s',
      '--download',
      join(cluster().directory, 'fetched'),
    )
    await stage.until(
      'trace',
      'open taps',
      ({ files = [] }) =>
        files.length === 2 && files.every(file => file.endpoints.every(row => row.startedAt)),
      'shop',
    )
    await stage.send('web-0', { first: 700, count: 2 })

    await cluster().apply(packetCapture('other', { selector: 'has(nothing)' }))
    const list = await pcap('list')
    t.regex(list.out, /^NAME +SELECTOR[\s\S]*\npacketcapture\.projectcalico\.org\/other /)
    t.regex(
      list.out,
      /\n\nNAME +COMPLETE +ERROR +ACTIVE +SUCCEEDED +FAILED +AGE\ncapture\.retina\.sh\/trace +False +2 /,
    )
    t.is((await pcap('list', '--api', 'retina', '-o', 'name')).out, 'capture.retina.sh/trace\n')
    const described = await pcap('describe', 'trace')
    t.regex(
      described.out,
      /Kind: Capture[\s\S]*podNames:[\s\S]*complete: "?False, JobsInProgress: 2\/2 Capture jobs[\s\S]*Node node-1: /,
    )

    const { code, out, err } = await made
    t.is(code, 0, err)
    t.regex(out, /^capture\.retina\.sh\/trace created\nDownloaded 2 files, .*, verified, to /)
    t.regex(err, /trace: All 2 Capture jobs are completed/)
    const folder = join(cluster().directory, 'fetched', 'node-1')
    const [archive = '', ...others] = readdirSync(folder)
    t.deepEqual(others, [])
    t.regex(archive, /^trace-node-1-\d{14}UTC\.tar\.gz$/)
    t.regex(
      execFileSync('tar', ['-tzf', join(folder, archive)], { encoding: 'utf8' }),
      /UTC\.pcap\ntcpdump\.log\n$/,
    )
    t.is(
      execFileSync('sha256sum', [join(folder, archive)], { encoding: 'utf8' }).split(' ')[0],
      execFileSync('sha256sum', [stage.archive('node-1', 'trace')], { encoding: 'utf8' }).split(
        ' ',
      )[0],
    )

    const merged = await pcap('download', 'trace', '--merge')
    t.is(merged.code, exitCodes.usage)
    t.regex(merged.err, /Cannot merge ".*\.tar\.gz": expected capture files alone/)
    t.is((await pcap('delete', 'trace')).out, 'capture.retina.sh "trace" deleted\n')
    t.is((await pcap('delete', 'trace')).code, exitCodes.notFound)
    t.true(existsSync(join(folder, archive)))
  },
)

/**
 * Numbers of the packets that the test sent; the last packet may be torn while the file is written.
 */
function numbersIn(file: string): Set<number> {
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  const found = new Set<number>()
  for (
    let at = bytes.indexOf('selcap');
    at >= 0 && at + 10 <= bytes.length;
    at = bytes.indexOf('selcap', at + 1)
  ) {
    const number = bytes.readUInt32BE(at + 6)
    if (number >= 800 && number < 1_000) found.add(number)
  }
  return found
}

clusterTest(
  'stream has the packets of a Capture from all of its nodes, and needs the right on captures/stream',
  async t => {
    const { stage, pcap } = await onStage()
    const target = {
      captureTarget: { podSelector: { matchLabels: { app: 'web' } } },
      captureOption: { duration: '1h', pcapFilter: 'udp' },
    }
    const spec = {
      captureConfiguration: { ...target, includeMetadata: false },
      outputConfiguration: { hostPath: 'live' },
    }
    for (const namespace of ['shop', 'bank']) await stage.apply('live', spec, namespace)
    await stage.open('live', ['node-1', 'node-2'])
    const file = join(cluster().directory, 'live.pcapng')
    const streaming = pcap('stream', 'live', '--write', file)
    await until('packets of both nodes', async () => {
      await stage.send('web-0', { first: 800, count: 1 })
      await stage.send('web-1', { first: 900, count: 1 })
      return [800, 900].every(number => numbersIn(file).has(number))
    })
    await stage.remove('live')
    const { code, err } = await streaming
    t.deepEqual([code, err], [0, ''])
    t.deepEqual([...numbersIn(file)].toSorted(), [800, 900])
    const refused = await pcap('stream', 'live', '-n', 'bank', '--api', 'retina', '--write', file)
    t.is(refused.code, exitCodes.notAllowed, refused.err)
    t.regex(
      refused.err,
      /may not get captures\/stream in group "retina\.sh" in the namespace "bank"/,
    )
    await stage.remove('live', 'bank')
  },
)

clusterTest('one name of two kinds is asked about, and --api tells', async t => {
  const { stage, pcap } = await onStage()
  const target = {
    captureTarget: { podNames: ['db-0'] },
    captureOption: { duration: '1h' },
    includeMetadata: false,
  }
  await stage.apply('both', {
    captureConfiguration: target,
    outputConfiguration: { hostPath: 'both' },
  })
  await cluster().apply(packetCapture('both', {}))
  const { code, err } = await pcap('delete', 'both')
  t.is(code, exitCodes.usage)
  t.regex(
    err,
    /found packetcapture\.projectcalico\.org\/both and capture\.retina\.sh\/both; expected --api/,
  )
  t.is((await pcap('delete', 'both', '--api', 'packetcapture')).code, 0)
  t.is((await pcap('delete', 'both')).out, 'capture.retina.sh "both" deleted\n')
})

clusterTest("another namespace's archives are nobody's to fetch", async t => {
  const { stage, pcap } = await onStage()
  await stage.apply(
    'vault',
    {
      captureConfiguration: {
        captureTarget: { podSelector: {} },
        captureOption: { duration: '1s' },
      },
      outputConfiguration: { hostPath: 'v' },
    },
    'bank',
  )
  await stage.complete('vault', 'bank')
  const { code, err } = await pcap('download', 'vault', '-n', 'bank', '--api', 'retina')
  t.is(code, exitCodes.notAllowed, err)
  t.regex(err, /may not get captures\/files in group "retina\.sh" in the namespace "bank"/)
})

clusterTest('a Capture with pods on a node without an agent says so everywhere', async t => {
  const { stage, pcap } = await onStage()
  const labels = { 'eks.amazonaws.com/compute-type': 'fargate' }
  await addPodsWithoutAgent(cluster(), 'shop', { fargate: labels }, { fargate: ['far-0'] })
  const spec = (captureTarget: object) => ({
    captureConfiguration: { captureTarget, captureOption: { duration: '25s' } },
    outputConfiguration: { hostPath: 'far' },
  })
  await stage.applyAll({
    far: spec({ podSelector: { matchLabels: { app: 'far' } } }),
    mixed: spec({ podNames: ['far-0', 'web-0'] }),
  })
  const missed = 'fargate: no agent runs on a Fargate node, so nothing is captured of far-0'
  const hasNoAgent = ({ conditions = [] }: Partial<RetinaStatus>) =>
    conditions.some(({ type, reason }) => type === 'error' && reason === 'NoAgent')
  const only = `Every pod that matches is on a node without an agent: ${missed}`
  const far = await stage.until('far', 'NoAgent of every pod', ({ conditions = [] }) =>
    conditions.some(({ message }) => message === only),
  )
  t.like(far.status?.conditions, [{ type: 'error', status: 'True', reason: 'NoAgent' }])
  const withoutAgent = [{ node: 'fargate', kind: 'Fargate', pods: ['far-0'] }]
  t.deepEqual(far.status?.withoutAgent, withoutAgent as never)
  await stage.until('mixed', 'NoAgent', hasNoAgent)
  const { status } = await stage.complete('mixed')
  t.like(
    status?.conditions.find(({ type }) => type === 'error'),
    { message: missed },
  )
  t.deepEqual(status?.withoutAgent, withoutAgent as never)

  const listed = await pcap('list', '--api', 'retina')
  t.regex(listed.out, /^mixed +True +NoAgent /m)
  const described = await pcap('describe', 'mixed', '--api', 'retina')
  t.true(described.out.includes(missed), described.out)
  const events = await cluster().get<{ items: { reason: string; message: string }[] }>(
    ...['events', '-n', 'shop', '--field-selector', 'involvedObject.name=mixed,reason=NoAgent'],
  )
  t.is(events.items[0]?.message, missed)
})
