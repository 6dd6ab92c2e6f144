// `selcap standalone` as a user runs it: manifests in, files and status out, real packets, real
// accidents.
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { stringify } from 'yaml'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import { podWithPort } from '../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../support/net/privilege.ts'
import { capture, endpoint, Standalone, selcap } from '../../support/processes/standalone.ts'
import { until } from '../../support/until.ts'

networkTest(
  'selcap standalone goes from WaitingForTraffic to Capturing, and SIGTERM leaves complete files and a final status',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const app = new Standalone(t)
    app.write('a.yaml', endpoint(pod.hostName), capture({ selector: 'app == "web"' }))
    await app.start()
    await app.reaches('WaitingForTraffic')
    await sender.udp({ to: pod.hostAddress, port, count: 25 })
    await app.reaches('Capturing')
    t.is(await app.stop(), 0)
    t.is(app.records(), 25)
    t.is(app.status()?.status?.packets, 25)
    t.deepEqual(app.status()?.status?.files[0]?.fileNames, [`web-0_${pod.hostName}.pcap`])
    t.regex(
      app.status()?.status?.files[0]?.message ?? '',
      /^selcap has stopped on node "[^"]+": nothing is captured here until it runs again$/,
    )
    t.is(
      execFileSync(
        selcap,
        [
          'get',
          'packetcaptures',
          'web',
          '-n',
          'shop',
          '-o',
          'yaml',
          '--status',
          join(app.root, 'status'),
        ],
        {
          encoding: 'utf8',
        },
      ),
      readFileSync(join(app.root, 'status', 'shop', 'web.yaml'), 'utf8'),
    )
  },
)

/** An endpoint and a capture in manifests of their own, and so many packets captured. */
async function captured(t: ExecutionContext, count: number, spec: PacketCaptureSpec = {}) {
  const { pod, sender, port } = await podWithPort(t)
  const app = new Standalone(t)
  app.write('endpoints.yaml', endpoint(pod.hostName))
  app.write('capture.yaml', capture(spec))
  await app.start()
  await app.reaches('WaitingForTraffic')
  const send = (packets: number) => sender.udp({ to: pod.hostAddress, port, count: packets })
  await send(count)
  await app.counts(count)
  return { app, pod, send }
}

networkTest(
  'selcap standalone stops at an endTime in the past and keeps the files; a deleted manifest takes them along',
  async t => {
    const { app } = await captured(t, 5)
    app.write('capture.yaml', capture({ endTime: '2020-01-01T00:00:00Z' }))
    await app.reaches('Finished')
    t.is(app.records(), 5)
    const uid = app.status()?.metadata.uid
    unlinkSync(join(app.root, 'manifests', 'capture.yaml'))
    await until(
      'the files to be gone',
      () => app.files().length === 0 && app.status() === undefined,
    )
    app.write('capture.yaml', capture())
    await app.reaches('WaitingForTraffic')
    t.not(app.status()?.metadata.uid, uid)
    t.is(app.status()?.status?.packets, 0)
  },
)

networkTest(
  'selcap standalone keeps the last good state of a broken manifest, and a capture whose file is rewritten in steps',
  async t => {
    const { app, send } = await captured(t, 3)
    writeFileSync(
      join(app.root, 'manifests', 'capture.yaml'),
      'apiVersion: projectcalico.org/v3\nkind: PacketCapture\nmetadata: {name: web, namespace: shop}\nspec: {selecter: all()}\n',
    )
    await until('the report of the problem', () =>
      app.log.some(line => line.includes('did you mean \\"selector\\"')),
    )
    writeFileSync(join(app.root, 'manifests', 'capture.yaml'), '') // as an editor that truncates, then writes
    app.write('capture.yaml', capture())
    await send(3)
    await app.counts(6)
    t.is(app.status()?.status?.files[0]?.endpoints[0]?.gaps.length, 0)
  },
)

networkTest("selcap standalone follows a ConfigMap's way of replacing files", async t => {
  const { pod } = await podWithPort(t)
  const app = new Standalone(t)
  const manifests = join(app.root, 'manifests')
  const put = (version: string, spec: PacketCaptureSpec) => {
    mkdirSync(join(manifests, `..${version}`))
    writeFileSync(
      join(manifests, `..${version}`, 'all.yaml'),
      [endpoint(pod.hostName), capture(spec)].map(each => stringify(each)).join('---\n'),
    )
    symlinkSync(`..${version}`, join(manifests, '..data_tmp'))
    renameSync(join(manifests, '..data_tmp'), join(manifests, '..data'))
  }
  put('1', {})
  symlinkSync('..data/all.yaml', join(manifests, 'all.yaml'))
  await app.start()
  await app.reaches('WaitingForTraffic')
  put('2', { endTime: '2020-01-01T00:00:00Z' })
  await app.reaches('Finished')
  t.is(app.status()?.metadata.generation, 2)
})

networkTest(
  'selcap standalone lets an endpoint go on undisturbed when the selector is edited, and ends it when it matches no longer',
  async t => {
    const { app, pod } = await captured(t, 2, { selector: 'all()' })
    app.write('capture.yaml', capture({ selector: 'has(app)' }))
    await until('the new generation', () => app.status()?.status?.observedGeneration === 2)
    t.is(app.log.filter(line => line.includes('opening tap')).length, 1)
    app.write('endpoints.yaml', endpoint(pod.hostName, {}))
    await until(
      'its end',
      () => app.status()?.status?.files[0]?.endpoints[0]?.endedAt !== undefined,
    )
    t.is(app.records(), 2)
  },
)

networkTest(
  'selcap standalone reports a broken selector as the Error of that capture alone',
  async t => {
    const { pod } = await podWithPort(t)
    const app = new Standalone(t)
    app.write(
      'all.yaml',
      endpoint(pod.hostName),
      capture({ selector: 'app == web' }, 'broken'),
      capture({ expression: 'udp and and' }, 'uncompiled'),
      capture(),
    )
    await app.start()
    await app.reaches('WaitingForTraffic')
    await app.reaches('Error', 'broken')
    await app.reaches('Error', 'uncompiled')
    t.regex(
      app.status('broken')?.status?.files[0]?.message ?? '',
      /selector: expected string\n {2}app == web\n {9}\^/,
    )
    t.regex(app.status('uncompiled')?.status?.files[0]?.message ?? '', /syntax error/)
  },
)

networkTest(
  'selcap standalone, killed under load, makes every file whole at its next start and counts on',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const app = new Standalone(t)
    app.write(
      'all.yaml',
      endpoint(pod.hostName),
      capture({ rotation: { maxSizeBytes: 200_000, maxFiles: 50 } }),
    )
    await app.start()
    await app.reaches('WaitingForTraffic')
    const traffic = sender.udp({ to: pod.hostAddress, port, count: 20_000, bytes: 400 })
    await until('files', () => app.files().length > 3)
    await app.stop('SIGKILL')
    const counted = app.status()?.status?.packets ?? 0
    await traffic
    app.log.length = 0
    await app.start()
    await until(
      'the row to be open again',
      () => app.status()?.status?.files[0]?.endpoints[0]?.gaps.length === 1,
    )
    for (const file of app.files())
      t.notThrows(
        () =>
          execFileSync('tcpdump', ['-nr', join(app.root, 'captures', 'shop', 'web', file)], {
            stdio: 'pipe',
          }),
        file,
      )
    const packets = app.status()?.status?.packets ?? 0
    t.true(packets >= counted && packets > 0, `${packets} after ${counted}`)
    await sender.udp({ to: pod.hostAddress, port, count: 10 })
    await app.counts(packets + 10)
  },
)

networkTest(
  'selcap standalone, killed after the kernel dropped packets, says so at its next start',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const app = new Standalone(t)
    app.write('all.yaml', endpoint(pod.hostName), capture())
    await app.start()
    await app.reaches('WaitingForTraffic')
    await sender.udp({ to: pod.hostAddress, port, count: 10 })
    await app.counts(10)
    const state = join(app.root, 'captures', 'shop', 'web', '.selcap.json')
    const dropped = () => JSON.parse(readFileSync(state, 'utf8')).rows[0]?.facts.dropped ?? 0
    app.process?.kill('SIGSTOP') // nobody reads the ring
    await sender.udp({ to: pod.hostAddress, port, count: 20_000, bytes: 1_400 })
    app.process?.kill('SIGCONT')
    await until('drops in the state file', () => dropped() > 0)
    await app.stop('SIGKILL')
    const before = dropped()
    rmSync(join(app.root, 'status', 'shop'), { recursive: true }) // it tells nothing of the last run
    app.log.length = 0
    await app.start()
    await app.reaches('Capturing')
    const row = app.status()?.status?.files[0]?.endpoints[0]
    t.is(row?.dropped, before)
  },
)

networkTest(
  'selcap standalone that did not run while a window ended counts no drop from after its end',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const app = new Standalone(t)
    const send = (count: number) => sender.udp({ to: pod.hostAddress, port, count, bytes: 1_400 })
    app.write('endpoints.yaml', endpoint(pod.hostName))
    await app.start()
    const endMs = Date.now() + 5_000
    app.write('capture.yaml', capture({ endTime: new Date(endMs).toISOString() }))
    await app.reaches('WaitingForTraffic')
    await send(10)
    await app.counts(10)
    app.process?.kill('SIGSTOP') // nobody reads the ring
    await until('the end of the window', () => Date.now() > endMs)
    await send(20_000)
    app.process?.kill('SIGCONT')
    await app.reaches('Finished')
    const row = app.status()?.status?.files[0]?.endpoints[0]
    t.deepEqual([row?.packets, row?.dropped], [10, 0])
  },
)

networkTest('selcap standalone takes a changed configuration without a restart', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const app = new Standalone(t)
  const config = join(app.root, 'config.yaml')
  writeFileSync(config, 'captureMaxFiles: 9\ncaptureMaxSizeBytes: 2000\n')
  app.write('all.yaml', endpoint(pod.hostName), capture())
  await app.start([], ['--config', config])
  await app.reaches('WaitingForTraffic')
  await sender.udp({ to: pod.hostAddress, port, count: 200, gapMs: 1 })
  await app.counts(200)
  await until('nine files that were rotated', () => app.files().length === 9 + 1)
  writeFileSync(`${config}.new`, 'captureMaxFiles: 2\ncaptureMaxSizeBytes: nonsense\n')
  renameSync(`${config}.new`, config)
  await until('the fewer files', () => app.files().length === 2 + 1)
  t.true(app.log.some(line => line.includes('captureMaxSizeBytes') && line.includes('"warn"')))
  t.is(app.log.filter(line => line.includes('opening tap')).length, 1)
})

networkTest('selcap standalone names the capability it lacks and what grants it', async t => {
  const { pod } = await podWithPort(t)
  const app = new Standalone(t)
  app.write('all.yaml', endpoint(pod.hostName), capture())
  await app.start(['setpriv', '--bounding-set', '-net_raw', '--inh-caps', '-net_raw'])
  await app.reaches('Error')
  t.regex(app.status()?.status?.files[0]?.endpoints[0]?.message ?? '', /CAP_NET_RAW[\s\S]*setcap/)
})
