import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { pino } from 'pino'
import type { CloseReason } from '../../../../src/model/codes.ts'
import type { Pod } from '../../../support/net/pod.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { run } from '../../../support/net/run.ts'
import {
  type Changes,
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
import { until } from '../../../support/until.ts'

networkTest(
  'TapManager captures into the file of the endpoint, and its actual state says so',
  async t => {
    const { pod, directory, holder, captured } = await capturing(t)
    await captured(20)
    const [capture] = holder.actualState().captures.values()
    t.deepEqual(capture?.fileNames, [`web-0_${pod.hostName}.pcap`])
    t.is(
      capture?.fileBytes,
      statSync(join(directory, 'shop', 'web', `web-0_${pod.hostName}.pcap`)).size,
    )
    t.is(statSync(join(directory, 'shop', 'web')).mode & 0o777, 0o750)
    await close(holder, 'shop/web/web-0', 'window')
    t.true(isBalanced(row(holder)))
    t.true((row(holder).endedAtMs ?? 0) >= (row(holder).startedAtMs ?? Number.POSITIVE_INFINITY))
    t.is(records(directory), 20)
  },
)

networkTest(
  'TapManager logs the code of a tap that does not open, once until the code changes',
  async t => {
    const lines: Record<string, unknown>[] = []
    const log = pino(
      { base: null, timestamp: false },
      { write: line => lines.push(JSON.parse(line)) },
    )
    const holder = await holderIn(t, folder(t), log)
    await open(holder, specFor('none0'))
    await open(holder, specFor('none0'))
    await open(holder, specFor('lo', { filter: 'udp and and' }))
    t.like(lines, [
      { level: 40, tap: 'shop/web/web-0', code: 'NO_INTERFACE', msg: 'tap not opened' },
      { level: 40, tap: 'shop/web/web-0', code: 'BAD_FILTER', msg: 'tap not opened' },
    ])
    t.is(lines.length, 2)
    t.regex(`${lines[0]?.error}`, /none0/)
  },
)

networkTest(
  'TapManager keeps every file readable by tcpdump, tshark and capinfos while it rotates',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const directory = folder(t)
    const holder = await holderIn(t, directory)
    await open(
      holder,
      specFor(pod.hostName, {
        rotation: { fileBytesMax: 150_000, fileAgeMsMax: 3.6e6, filesMax: 3 },
      }),
      specFor(pod.hostName, {
        name: 'ng',
        format: 'pcapng',
        rotation: { fileBytesMax: 150_000, fileAgeMsMax: 3.6e6, filesMax: 3 },
      }),
    )
    const traffic = sender.udp({ to: pod.hostAddress, port, count: 4_000, bytes: 200, gapMs: 0.4 })
    let looks = 0
    const reader = (async () => {
      while (looks < 25)
        for (const name of ['web', 'ng'])
          for (const file of holder.actualState().captures.get(`shop/${name}`)?.fileNames ?? []) {
            looks++
            for (const [command = '', ...args] of [
              ['tcpdump', '-nr'],
              ['tshark', '-nr'],
              ['capinfos'],
            ])
              await readTwice(command, [...args, join(directory, 'shop', name, file)])
          }
    })()
    await traffic
    await reader
    await until(
      'all packets',
      () => row(holder).packets === 4_000 && row(holder, 'shop/ng').packets === 4_000,
    )
    await holder.stop()
    for (const name of ['web', 'ng']) {
      const files = readdirSync(join(directory, 'shop', name)).filter(file => !file.startsWith('.'))
      t.is(files.length, 4, files.join())
      t.is(row(holder).dropped, 0)
      t.true(files.every(file => statSync(join(directory, 'shop', name, file)).size <= 150_000))
    }
  },
)

// A reader within the kernel's write(2) may see a part of it, and a file may have been rotated
// away: the second look decides.
async function readTwice(command: string, args: readonly string[]): Promise<void> {
  await run(command, args).catch(
    async () =>
      statSync(args.at(-1) ?? '', { throwIfNoEntry: false }) && (await run(command, args)),
  )
}

networkTest(
  'TapManager follows an interface that goes and comes back under its name, and says when it was away',
  async t => {
    const { pod, directory, holder, captured } = await capturing(t)
    await captured(5)
    const goneMs = Date.now()
    await pod.remove()
    await until('the interface to be gone', () =>
      / is gone/.test(holder.actualState().taps.get('shop/web/web-0')?.message ?? ''),
    ) // first it is down
    t.is(row(holder).gaps.length, 1)
    t.regex(holder.actualState().taps.get('shop/web/web-0')?.message ?? '', /interface .* is gone/)
    await pod.create()
    await until('its end', () => row(holder).gaps.every(({ toMs }) => toMs !== undefined))
    await again(pod, t, 7)
    await until('12 packets', () => row(holder).packets === 12)
    const { gaps } = row(holder) // one, or a second for the time it was there and not yet up
    t.true(gaps.length === 1 || gaps.length === 2)
    t.true(
      (gaps[0]?.fromMs ?? 0) >= goneMs &&
        (gaps[0]?.toMs ?? 0) >= (gaps[0]?.fromMs ?? Number.POSITIVE_INFINITY),
    )
    t.is(holder.actualState().taps.get('shop/web/web-0')?.message, undefined)
    t.is(records(directory), 12)
    t.true(isBalanced(row(holder)))
  },
)

async function again(pod: Pod, t: ExecutionContext, count: number): Promise<void> {
  const { makeSender } = await import('../../../support/net/sender.ts')
  const [sender, here] = await Promise.all([makeSender(t, pod.namespace), makeSender(t)])
  await sender.udp({ to: pod.hostAddress, port: await here.listenUdp(pod.hostAddress), count })
}

networkTest('TapManager notes the time an interface was down', async t => {
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

/** 4 packets before the tap is closed and opened as it should be now, 6 afterwards. */
async function reopened(t: ExecutionContext, reason: CloseReason, changes: Changes) {
  const { pod, directory, holder, captured } = await capturing(t)
  await captured(4)
  await holder.apply([
    { kind: 'close', id: 'shop/web/web-0', reason },
    { kind: 'open', spec: specFor(pod.hostName, changes) },
  ])
  await captured(6, 10)
  return { directory, holder }
}

networkTest('TapManager goes on in the same row, with a gap, when the pod is replaced', async t => {
  const { directory, holder } = await reopened(t, 'replaced', { podUid: 'p2' })
  t.is(row(holder).uid, 'p2')
  t.is(row(holder).gaps.length, 1)
  t.is(
    readdirSync(join(directory, 'shop', 'web')).filter(
      file => file.endsWith('.pcap') && !file.startsWith('.'),
    ).length,
    1,
  )
  t.is(records(directory), 10)
})

networkTest(
  'TapManager begins a new file when the filter changed, and keeps the old one',
  async t => {
    const { directory, holder } = await reopened(t, 'changed', { filter: 'udp and greater 10' })
    t.is(holder.actualState().captures.get('shop/web')?.fileNames.length, 2)
    t.is(records(directory), 10)
  },
)

networkTest(
  'TapManager continues counters and file after a restart, and the packet limit counts what was before',
  async t => {
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
    await until(
      'the limit',
      () => second.actualState().captures.get('shop/web')?.limitHit !== undefined,
    )
    await until('what came after it', () => row(second).refused === 5)
    t.is(row(second).packets, 15)
    t.deepEqual(
      row(second).gaps.map(({ reason }) => reason),
      ['the agent was restarted'],
    )
    await second.stop()
    t.is(records(directory), 15)
    t.is(
      readdirSync(join(directory, 'shop', 'web')).filter(file => file.endsWith('.pcap')).length,
      1,
    )
  },
)
