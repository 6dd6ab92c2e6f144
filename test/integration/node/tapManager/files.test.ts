// What TapManager keeps, refuses and removes on disk.
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { isWaiting } from '../../../../src/files/names.ts'
import { lostFileReasons } from '../../../../src/model/capture.ts'
import { freezableDisk, freezeRefusal } from '../../../support/net/freezableDisk.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import {
  capturing,
  close,
  folder,
  holderIn,
  isBalanced,
  open,
  records,
  row,
  specFor,
} from '../../../support/net/tapManagerFixture.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { until } from '../../../support/until.ts'

const refusal = await freezeRefusal()

networkTest('TapManager keeps two captures of one endpoint apart', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(
    holder,
    specFor(pod.hostName),
    specFor(pod.hostName, { name: 'other', limits: { packets: 3 } }),
  )
  await sender.udp({ to: pod.hostAddress, port, count: 8 })
  await until('8 packets', () => row(holder).packets === 8)
  await until('3 packets', () => row(holder, 'shop/other').packets === 3)
  await holder.apply([
    { kind: 'close', id: 'shop/other/web-0', reason: 'deleted' },
    { kind: 'forget', captureKey: 'shop/other', uid: 'u1' },
  ])
  t.deepEqual(readdirSync(join(directory, 'shop')), ['web'])
  t.deepEqual([...holder.actualState().captures.keys()], ['shop/web'])
})

networkTest('TapManager ends an endpoint whose files cannot be completed', async t => {
  const { directory, holder, captured } = await capturing(t)
  await captured(3)
  const of = join(directory, 'shop', 'web')
  const waiting = () => readdirSync(of).find(isWaiting)
  await until('a waiting file', () => waiting() !== undefined)
  const path = join(of, waiting() ?? '')
  rmSync(path)
  mkdirSync(path)
  await close(holder, 'shop/web/web-0', 'finished')
  t.like(row(holder), { packets: 3, gaps: [] })
  t.is(typeof row(holder).endedAtMs, 'number')
  t.false(openPaths().some(target => target.startsWith(of)))
})

/** What the descriptors of this process lead to. */
const openPaths = (): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      return [readlinkSync(join('/proc/self/fd', fd))]
    } catch {
      return [] // closed meanwhile
    }
  })

networkTest('TapManager waits for no stalled disk that holds an artifact', async t => {
  if (refusal !== undefined) {
    t.pass(`no disk can be frozen here: ${refusal}`)
    return
  }
  const elsewhere = folder(t)
  const disk = await freezableDisk(t, elsewhere)
  const { pod, directory, holder, captured } = await capturing(t)
  await captured(1)
  const path = join(elsewhere, 'web.tar')
  writeFileSync(path, 'made of the files')
  await holder.setArtifactResult('shop/web', 'u1', { atMs: 0, files: [{ path, bytes: 17 }] })
  await disk.freeze()
  await holder.apply([
    { kind: 'close', id: 'shop/web/web-0', reason: 'deleted' },
    { kind: 'forget', captureKey: 'shop/web', uid: 'u1' },
  ])
  await open(holder, specFor(pod.hostName, { name: 'other' }))
  t.is(holder.actualState().taps.get('shop/other/web-0')?.state, 'open')
  await disk.thaw()
  await until('the directory to be removed', () => !existsSync(join(directory, 'shop', 'web')))
  t.false(existsSync(path))
})

networkTest(
  'TapManager rotates a file that is old and holds packets, and no empty one',
  async t => {
    const { holder, captured } = await capturing(t, {
      rotation: { fileBytesMax: 1e7, fileAgeMsMax: 50, filesMax: 5 },
    })
    await captured(2)
    await until('the rotation', () => {
      holder.rotateDue()
      return holder.actualState().captures.get('shop/web')?.fileNames.length === 2
    })
    for (let look = 0; look < 20; look++) holder.rotateDue()
    await close(holder, 'shop/web/web-0', 'window')
    t.is(holder.actualState().captures.get('shop/web')?.fileNames.length, 2)
  },
)

networkTest(
  'TapManager says why a tap is not open, and opens it when its interface appears',
  async t => {
    const { pod } = await podWithPort(t)
    const holder = await holderIn(t, folder(t))
    let told = 0
    holder.onChange(() => void told++)
    await open(
      holder,
      specFor('nowhere0'),
      specFor(pod.hostName, { name: 'bad', filter: 'udp and and' }),
    )
    const missing = holder.actualState().taps.get('shop/web/web-0')
    t.like(missing, { state: 'failed' })
    t.regex(missing?.message ?? '', /nowhere0/)
    const bad = holder.actualState().taps.get('shop/bad/web-0')
    t.regex(bad?.message ?? '', /syntax error/)
    t.is(bad?.retryAtMs, undefined)
    execFileSync('ip', ['link', 'add', 'nowhere0', 'type', 'veth', 'peer', 'name', 'nowhere1'])
    t.teardown(() => execFileSync('ip', ['link', 'delete', 'nowhere0']))
    await until(
      'the word that it is there',
      () =>
        told > 0 &&
        (holder.actualState().taps.get('shop/web/web-0')?.retryAtMs ?? Number.POSITIVE_INFINITY) <=
          Date.now(),
    )
  },
)

networkTest(
  'TapManager follows no symbolic link, and one capture that cannot be kept harms no other',
  async t => {
    const { pod } = await podWithPort(t)
    const [directory, elsewhere] = [folder(t), folder(t)]
    mkdirSync(join(directory, 'shop', 'file'), { recursive: true })
    symlinkSync(elsewhere, join(directory, 'shop', 'link'))
    symlinkSync(
      join(elsewhere, 'victim'),
      join(directory, 'shop', 'file', `web-0_${pod.hostName}.pcap`),
    )
    const holder = await holderIn(t, directory)
    await open(
      holder,
      specFor(pod.hostName, { name: 'link' }),
      specFor(pod.hostName, { name: 'file' }),
      specFor(pod.hostName),
    )
    t.regex(holder.actualState().taps.get('shop/link/web-0')?.message ?? '', /symbolic link/)
    t.is(holder.actualState().taps.get('shop/file/web-0')?.state, 'open')
    const names = readdirSync(join(directory, 'shop', 'file')).filter(name => /^web/.test(name))
    t.is(names.length, 2, 'what lay in the place of the active file has a name of its own')
    t.is(holder.actualState().taps.get('shop/web/web-0')?.state, 'open')
    t.deepEqual(readdirSync(elsewhere), [])
  },
)

networkTest(
  'TapManager removes only a directory that carries the state file, and only of that uid',
  async t => {
    const { directory, holder } = await capturing(t)
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
  },
)

networkTest(
  'TapManager keeps files whose state cannot be read, for the next capture of that name, which has not more than its limit',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const directory = folder(t)
    const first = await holderIn(t, directory)
    const spec = specFor(pod.hostName, { limits: { packets: 3 } })
    await open(first, spec)
    await sender.udp({ to: pod.hostAddress, port, count: 4 })
    await until('3 packets', () => row(first).packets === 3)
    await first.stop()
    for (const name of ['.selcap.json', '.selcap.json.copy'])
      writeFileSync(join(directory, 'shop', 'web', name), '{"version":')
    const second = await holderIn(t, directory)
    t.is(second.actualState().captures.size, 0)
    await open(second, spec)
    await sender.udp({ to: pod.hostAddress, port, count: 4 })
    await until('refusals', () => row(second).refused === 4)
    t.is(row(second).packets, 3)
    t.regex(second.actualState().captures.get('shop/web')?.unreadable ?? '', /expected JSON/)
    await second.stop()
    t.is(records(directory), 3)
  },
)

networkTest(
  'TapManager goes on, with a gap, when somebody removes the directory of a capture',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const directory = folder(t)
    const holder = await holderIn(t, directory)
    const spec = specFor(pod.hostName, {
      rotation: { fileBytesMax: 1e7, fileAgeMsMax: 200, filesMax: 5 },
    })
    await open(holder, spec)
    rmSync(join(directory, 'shop'), { recursive: true })
    await sender.udp({ to: pod.hostAddress, port, count: 2 })
    await until(
      'the word that it is gone',
      () => holder.actualState().taps.get(spec.id)?.state === 'failed',
    )
    await open(holder, spec)
    await sender.udp({ to: pod.hostAddress, port, count: 3 })
    await until('3 more packets', () => records(directory) === 3)
    t.is(row(holder).received, 5)
    t.like(row(holder), { packets: 5, lost: 2 })
    t.is(row(holder).gaps.length, 1)
  },
)

const touched: Readonly<Record<keyof typeof lostFileReasons, (path: string) => void>> = {
  removed: path => rmSync(path),
  moved: path => renameSync(path, `${path}.shipped`),
  replaced: path => {
    renameSync(path, `${path}.shipped`)
    writeFileSync(path, 'of somebody else')
  },
  truncated: path => truncateSync(path),
}
for (const how of ['removed', 'moved', 'replaced', 'truncated'] as const)
  networkTest(
    `TapManager begins another file, with a gap, when the active one is ${how} by others`,
    async t => {
      const { pod, directory, holder, captured } = await capturing(t)
      await captured(3)
      touched[how](join(directory, 'shop', 'web', `web-0_${pod.hostName}.pcap`))
      await until('the gap', () => row(holder).gaps.some(({ toMs }) => toMs !== undefined))
      t.is(row(holder).gaps[0]?.reason, lostFileReasons[how])
      t.is(row(holder).lost, 3)
      await captured(4, 7)
      await holder.stop()
      t.true(isBalanced(row(holder)))
      t.is(row(holder).gaps.length, 1)
      const active = readFileSync(join(directory, 'shop', 'web', `web-0_${pod.hostName}.pcap`))
      t.is(readRecords(active, 'pcap').length, 4)
      t.is(row(holder).packets - (row(holder).lost ?? 0), 4)
    },
  )

networkTest('TapManager counts what went with a file that others removed at the end', async t => {
  const { pod, directory, holder, captured } = await capturing(t)
  await captured(3)
  rmSync(join(directory, 'shop', 'web', `web-0_${pod.hostName}.pcap`))
  await close(holder, 'shop/web/web-0', 'finished')
  t.like(row(holder), { packets: 3, lost: 3 })
  t.is(row(holder).gaps[0]?.reason, lostFileReasons.removed)
})

networkTest(
  'TapManager knows how many packets passed the interface while the filter let none pass',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const holder = await holderIn(t, folder(t))
    await open(holder, specFor(pod.hostName, { filter: 'tcp' }))
    await sender.udp({ to: pod.hostAddress, port, count: 7 })
    await until('the count', () => row(holder).interfacePackets === 7) // looked at every ten seconds
    t.is(row(holder).packets, 0)
  },
)
