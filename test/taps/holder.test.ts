// The owner of all taps, with real packets: what is on disk and in the facts after a turn's actions and after accidents.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { pino } from 'pino'
import { systemClock } from '../../src/clock.ts'
import type { EndpointFacts } from '../../src/model/facts.ts'
import { defaultSettings } from '../../src/model/settings.ts'
import { type CloseReason, type TapSpec, tapId } from '../../src/model/tap.ts'
import { TapHolder } from '../../src/taps/holder.ts'
import { ringDriver } from '../../src/taps/ring.ts'
import type { Pod } from '../net/pod.ts'
import { serialNetworkTest as networkTest } from '../net/privilege.ts'
import { run } from '../net/run.ts'
import { until } from './capture.ts'
import { readRecords } from './captureFile.ts'
import { podWithPort } from './podWithPort.ts'

function folder(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-holder-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

async function holderIn(t: ExecutionContext, captureDir: string): Promise<TapHolder> {
  const holder = await TapHolder.open({
    driver: ringDriver(),
    clock: systemClock,
    node: 'node-0',
    settings: () => ({ ...defaultSettings, captureDir }),
    log: pino({ level: 'silent' }),
  })
  t.teardown(() => holder.stop())
  return holder
}

type Changes = Partial<Omit<TapSpec, 'capture' | 'endpoint'>> & {
  readonly name?: string
  readonly pod?: string
  readonly uid?: string
  readonly podUid?: string
}

function specFor(interfaceName: string, { name = 'web', pod = 'web-0', uid = 'u1', podUid = 'p1', ...changes }: Changes = {}): TapSpec {
  const captureKey = `shop/${name}`
  return {
    id: tapId(captureKey, pod),
    capture: { api: 'PacketCapture', namespace: 'shop', name, uid },
    captureKey,
    endpoint: { namespace: 'shop', name: pod, uid: podUid, addresses: [] },
    interfaceName,
    vantage: 'HostVeth',
    filter: 'udp',
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    ringBytes: 524_288,
    rotation: { fileBytesMax: 10_000_000, fileAgeMsMax: 3.6e6, filesMax: 2 },
    limits: {},
    ...changes,
  }
}

const open = (holder: TapHolder, ...specs: TapSpec[]) => holder.apply(specs.map(spec => ({ kind: 'open', spec })))
const close = (holder: TapHolder, id: string, reason: CloseReason) => holder.apply([{ kind: 'close', id, reason }])

function row(holder: TapHolder, key = 'shop/web', pod = 'web-0'): EndpointFacts {
  const found = holder.facts().captures.get(key)?.endpoints.get(pod)
  if (!found) throw new Error(`there is no row ${pod} of ${key}`)
  return found
}

const records = (directory: string, name = 'web'): number =>
  readdirSync(join(directory, 'shop', name))
    .filter(file => /^[^.].*\.pcap$/.test(file))
    .reduce((sum, file) => sum + readRecords(readFileSync(join(directory, 'shop', name, file)), 'pcap').length, 0)

const isBalanced = ({ received, packets, dropped, refused }: EndpointFacts): boolean => received === packets + dropped + refused

networkTest('TapHolder captures into the file of the endpoint, and its facts say so', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName))
  await sender.udp({ to: pod.hostAddress, port, count: 20 })
  await until('20 packets', () => row(holder).packets === 20)
  const [capture] = holder.facts().captures.values()
  t.deepEqual(capture?.fileNames, [`web-0_${pod.hostName}.pcap`])
  t.is(capture?.fileBytes, statSync(join(directory, 'shop', 'web', `web-0_${pod.hostName}.pcap`)).size)
  t.is(statSync(join(directory, 'shop', 'web')).mode & 0o777, 0o750)
  await close(holder, 'shop/web/web-0', 'window')
  t.true(isBalanced(row(holder)))
  t.true((row(holder).endedAtMs ?? 0) >= (row(holder).startedAtMs ?? Number.POSITIVE_INFINITY))
  t.is(records(directory), 20)
})

networkTest('TapHolder keeps every file readable by tcpdump, tshark and capinfos while it rotates', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(
    holder,
    specFor(pod.hostName, { rotation: { fileBytesMax: 20_000, fileAgeMsMax: 3.6e6, filesMax: 3 } }),
    specFor(pod.hostName, { name: 'ng', format: 'pcapng', rotation: { fileBytesMax: 20_000, fileAgeMsMax: 3.6e6, filesMax: 3 } }),
  )
  const traffic = sender.udp({ to: pod.hostAddress, port, count: 4_000, bytes: 200, gapMs: 0.4 })
  let looks = 0
  const reader = (async () => {
    while (looks < 25)
      for (const name of ['web', 'ng'])
        for (const file of holder.facts().captures.get(`shop/${name}`)?.fileNames ?? []) {
          looks++
          for (const [command = '', ...args] of [['tcpdump', '-nr'], ['tshark', '-nr'], ['capinfos']])
            await readTwice(command, [...args, join(directory, 'shop', name, file)])
        }
  })()
  await traffic
  await reader
  await until('all packets', () => row(holder).packets === 4_000 && row(holder, 'shop/ng').packets === 4_000)
  await holder.stop()
  for (const name of ['web', 'ng']) {
    const files = readdirSync(join(directory, 'shop', name)).filter(file => !file.startsWith('.'))
    t.is(files.length, 4, files.join())
    t.is(row(holder).dropped, 0)
    t.true(files.every(file => statSync(join(directory, 'shop', name, file)).size <= 20_000))
  }
})

// A reader within the kernel's write(2) may see a part of it, and a file may have been rotated away: the second look decides.
async function readTwice(command: string, args: readonly string[]): Promise<void> {
  await run(command, args).catch(async () => statSync(args.at(-1) ?? '', { throwIfNoEntry: false }) && (await run(command, args)))
}

networkTest('TapHolder follows an interface that goes and comes back under its name, and says when it was away', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName))
  await sender.udp({ to: pod.hostAddress, port, count: 5 })
  await until('5 packets', () => row(holder).packets === 5)
  const goneMs = Date.now()
  await pod.remove()
  await until('the gap', () => row(holder).gaps.length === 1)
  t.regex(holder.facts().taps.get('shop/web/web-0')?.message ?? '', /interface .* is gone/)
  await pod.create()
  await until('its end', () => row(holder).gaps[0]?.toMs !== undefined)
  await again(pod, t, 7)
  await until('12 packets', () => row(holder).packets === 12)
  const { gaps } = row(holder)
  t.is(gaps.length, 1)
  t.true((gaps[0]?.fromMs ?? 0) >= goneMs && (gaps[0]?.toMs ?? 0) >= (gaps[0]?.fromMs ?? Number.POSITIVE_INFINITY))
  t.is(holder.facts().taps.get('shop/web/web-0')?.message, undefined)
  t.is(records(directory), 12)
  t.true(isBalanced(row(holder)))
})

async function again(pod: Pod, t: ExecutionContext, count: number): Promise<void> {
  const { makeSender } = await import('../net/sender.ts')
  const [sender, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
  await sender.udp({ to: pod.hostAddress, port: await here.listenUdp(pod.hostAddress), count })
}

networkTest('TapHolder notes the time an interface was down', async t => {
  const { pod } = await podWithPort(t)
  const holder = await holderIn(t, folder(t))
  await open(holder, specFor(pod.hostName))
  await pod.setDown()
  await until('the gap', () => row(holder).gaps.length === 1)
  await pod.setUp()
  await until('its end', () => row(holder).gaps[0]?.toMs !== undefined)
  await again(pod, t, 3)
  await until('3 packets', () => row(holder).packets === 3)
  t.regex(row(holder).gaps[0]?.reason ?? '', /is down$/)
})

networkTest('TapHolder goes on in the same row, with a gap, when the pod is replaced', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName))
  await sender.udp({ to: pod.hostAddress, port, count: 4 })
  await until('4 packets', () => row(holder).packets === 4)
  await holder.apply([
    { kind: 'close', id: 'shop/web/web-0', reason: 'replaced' },
    { kind: 'open', spec: specFor(pod.hostName, { podUid: 'p2' }) },
  ])
  await sender.udp({ to: pod.hostAddress, port, count: 6 })
  await until('10 packets', () => row(holder).packets === 10)
  t.is(row(holder).uid, 'p2')
  t.is(row(holder).gaps.length, 1)
  t.is(readdirSync(join(directory, 'shop', 'web')).filter(file => file.endsWith('.pcap') && !file.startsWith('.')).length, 1)
  t.is(records(directory), 10)
})

networkTest('TapHolder begins a new file when the filter changed, and keeps the old one', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName))
  await sender.udp({ to: pod.hostAddress, port, count: 4 })
  await until('4 packets', () => row(holder).packets === 4)
  await holder.apply([
    { kind: 'close', id: 'shop/web/web-0', reason: 'changed' },
    { kind: 'open', spec: specFor(pod.hostName, { filter: 'udp and greater 10' }) },
  ])
  await sender.udp({ to: pod.hostAddress, port, count: 6 })
  await until('10 packets', () => row(holder).packets === 10)
  t.is(holder.facts().captures.get('shop/web')?.fileNames.length, 2)
  t.is(records(directory), 10)
})

networkTest('TapHolder continues counters and file after a restart, and the packet limit counts what was before', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const spec = specFor(pod.hostName, { limits: { packets: 15 } })
  const first = await holderIn(t, directory)
  await open(first, spec)
  await sender.udp({ to: pod.hostAddress, port, count: 10 })
  await until('10 packets', () => row(first).packets === 10)
  await first.stop()
  const second = await holderIn(t, directory)
  t.is(row(second).packets, 10)
  await open(second, spec)
  await sender.udp({ to: pod.hostAddress, port, count: 10 })
  await until('the limit', () => second.facts().captures.get('shop/web')?.limitHit !== undefined)
  await until('what came after it', () => row(second).refused === 5)
  t.is(row(second).packets, 15)
  t.deepEqual(
    row(second).gaps.map(({ reason }) => reason),
    ['the agent was restarted'],
  )
  await second.stop()
  t.is(records(directory), 15)
  t.is(readdirSync(join(directory, 'shop', 'web')).filter(file => file.endsWith('.pcap')).length, 1)
})

networkTest('TapHolder keeps two captures of one endpoint apart', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName), specFor(pod.hostName, { name: 'other', limits: { packets: 3 } }))
  await sender.udp({ to: pod.hostAddress, port, count: 8 })
  await until('8 packets', () => row(holder).packets === 8)
  await until('3 packets', () => row(holder, 'shop/other').packets === 3)
  await holder.apply([
    { kind: 'close', id: 'shop/other/web-0', reason: 'deleted' },
    { kind: 'forget', captureKey: 'shop/other', uid: 'u1' },
  ])
  t.deepEqual(readdirSync(join(directory, 'shop')), ['web'])
  t.deepEqual([...holder.facts().captures.keys()], ['shop/web'])
})

networkTest('TapHolder rotates a file that is old and holds packets, and no empty one', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName, { rotation: { fileBytesMax: 1e7, fileAgeMsMax: 50, filesMax: 5 } }))
  await sender.udp({ to: pod.hostAddress, port, count: 2 })
  await until('2 packets', () => row(holder).packets === 2)
  await until('the rotation', () => {
    holder.rotateWhatIsDue()
    return holder.facts().captures.get('shop/web')?.fileNames.length === 2
  })
  for (let look = 0; look < 20; look++) holder.rotateWhatIsDue()
  await close(holder, 'shop/web/web-0', 'window')
  t.is(holder.facts().captures.get('shop/web')?.fileNames.length, 2)
})

networkTest('TapHolder says why a tap is not open, and opens it when its interface appears', async t => {
  const { pod } = await podWithPort(t)
  const holder = await holderIn(t, folder(t))
  let told = 0
  holder.onChange(() => void told++)
  await open(holder, specFor('nowhere0'), specFor(pod.hostName, { name: 'bad', filter: 'udp and and' }))
  const missing = holder.facts().taps.get('shop/web/web-0')
  t.like(missing, { state: 'failed' })
  t.regex(missing?.message ?? '', /nowhere0/)
  const bad = holder.facts().taps.get('shop/bad/web-0')
  t.regex(bad?.message ?? '', /syntax error/)
  t.is(bad?.retryAtMs, undefined)
  execFileSync('ip', ['link', 'add', 'nowhere0', 'type', 'veth', 'peer', 'name', 'nowhere1'])
  t.teardown(() => execFileSync('ip', ['link', 'delete', 'nowhere0']))
  await until(
    'the word that it is there',
    () => told > 0 && (holder.facts().taps.get('shop/web/web-0')?.retryAtMs ?? Number.POSITIVE_INFINITY) <= Date.now(),
  )
})

networkTest('TapHolder follows no symbolic link, and one capture that cannot be kept harms no other', async t => {
  const { pod } = await podWithPort(t)
  const [directory, elsewhere] = [folder(t), folder(t)]
  mkdirSync(join(directory, 'shop', 'file'), { recursive: true })
  symlinkSync(elsewhere, join(directory, 'shop', 'link'))
  symlinkSync(join(elsewhere, 'victim'), join(directory, 'shop', 'file', `web-0_${pod.hostName}.pcap`))
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName, { name: 'link' }), specFor(pod.hostName, { name: 'file' }), specFor(pod.hostName))
  t.regex(holder.facts().taps.get('shop/link/web-0')?.message ?? '', /symbolic link/)
  t.is(holder.facts().taps.get('shop/file/web-0')?.state, 'failed')
  t.is(holder.facts().taps.get('shop/web/web-0')?.state, 'open')
  t.deepEqual(readdirSync(elsewhere), [])
})

networkTest('TapHolder removes only a directory that carries the state file, and only of that uid', async t => {
  const { pod } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName))
  await holder.apply([{ kind: 'forget', captureKey: 'shop/web', uid: 'another' }])
  t.true(readdirSync(join(directory, 'shop', 'web')).includes('.selcap.json'))
  await close(holder, 'shop/web/web-0', 'deleted')
  mkdirSync(join(directory, 'shop', 'mine'))
  writeFileSync(join(directory, 'shop', 'mine', 'a_b.pcap'), 'x')
  await holder.apply([
    { kind: 'forget', captureKey: 'shop/web', uid: 'u1' },
    { kind: 'forget', captureKey: 'shop/mine', uid: '' },
  ])
  t.deepEqual(readdirSync(join(directory, 'shop')), ['mine'])
})

networkTest('TapHolder keeps files whose state cannot be read, for the next capture of that name', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const first = await holderIn(t, directory)
  await open(first, specFor(pod.hostName))
  await sender.udp({ to: pod.hostAddress, port, count: 3 })
  await until('3 packets', () => row(first).packets === 3)
  await first.stop()
  writeFileSync(join(directory, 'shop', 'web', '.selcap.json'), '{"version":')
  const second = await holderIn(t, directory)
  t.is(second.facts().captures.size, 0)
  await open(second, specFor(pod.hostName))
  await second.stop()
  t.is(records(directory), 3)
})
