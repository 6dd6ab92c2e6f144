// Taps that are opened before their window: nothing of them is to be seen until it opens, and
// everything counts from there.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { TapManager } from '../../../../src/tap/tapManager.ts'
import type { Scope } from '../../../support/net/namespace.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import {
  close,
  folder,
  holderIn,
  isBalanced,
  open,
  row,
  specFor,
} from '../../../support/net/tapManagerFixture.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'

const id = 'shop/web/web-0'

networkTest(
  'TapManager shows nothing of a tap before its window, and counts from its opening',
  async t => {
    const { pod, directory, holder, sendUntil } = await traffic(t)
    const fromMs = Date.now() + 3_000
    await open(holder, specFor(pod.hostName, { window: { fromMs } }))
    t.is(holder.actualState().taps.get(id)?.state, 'open')
    const early = holder.actualState().captures.get('shop/web')
    t.like(early, { fileNames: [], fileBytes: 0 })
    t.is(early?.endpoints.size, 0)
    t.is(early?.firstOpenedAtMs, undefined)
    t.deepEqual(holder.folderOf('shop/web', 'u1')?.files(), [])
    await sendUntil(fromMs + 500)
    holder.startDue()
    await until('packets', () => row(holder).packets > 0)
    t.is(row(holder).startedAtMs, fromMs)
    t.is(holder.actualState().captures.get('shop/web')?.firstOpenedAtMs, fromMs)
    t.deepEqual(holder.actualState().captures.get('shop/web')?.fileNames, [
      `web-0_${pod.hostName}.pcap`,
    ])
    await close(holder, id, 'window')
    const times = timesIn(directory)
    t.true(times.length > 0 && times.every(atMs => atMs >= fromMs))
    t.true(isBalanced(row(holder)))
    t.is(row(holder).packets, times.length)
  },
)

networkTest('TapManager leaves no trace of a tap that is closed before its window', async t => {
  const { pod, directory, holder, sendUntil } = await traffic(t)
  await open(holder, specFor(pod.hostName, { window: { fromMs: Date.now() + 3_600_000 } }))
  await sendUntil(Date.now() + 200)
  await close(holder, id, 'unmatched')
  t.deepEqual(visible(directory), [])
  t.like(holder.actualState().captures.get('shop/web'), { fileNames: [] })
  t.is(holder.actualState().captures.get('shop/web')?.endpoints.size, 0)
  t.is(holder.actualState().captures.get('shop/web')?.firstOpenedAtMs, undefined)
  const again = await holderIn(t, directory)
  t.is(again.actualState().captures.get('shop/web')?.firstOpenedAtMs, undefined)
})

networkTest(
  'TapManager ends a window when its limit in time does, counted from its opening, and adjusts it without a loss',
  async t => {
    const { pod, directory, holder, sendUntil } = await traffic(t)
    const fromMs = Date.now() + 1_000
    const spec = specFor(pod.hostName, {
      window: { fromMs, untilMs: fromMs + 3_600_000 },
      limits: { durationMs: 3_600_000 },
    })
    await open(holder, spec)
    await sendUntil(fromMs + 300)
    holder.startDue()
    await holder.apply([{ kind: 'adjust', spec: { ...spec, limits: { durationMs: 4_000 } } }])
    await sendUntil(fromMs + 4_200)
    await close(holder, id, 'limit')
    const times = timesIn(directory)
    t.true(times.every(atMs => atMs >= fromMs && atMs < fromMs + 4_000))
    const numbers = numbersIn(directory)
    t.deepEqual(numbers, numbers.map((_, index) => (numbers[0] ?? 0) + index)) // biome-ignore format: one line
    t.is(row(holder).endedAtMs, fromMs + 4_000)
    t.true(isBalanced(row(holder)))
  },
)

networkTest(
  'TapManager counts a limit in time from when a tap without a window was open',
  async t => {
    const { pod, directory, holder, sendUntil } = await traffic(t)
    await open(holder, specFor(pod.hostName, { limits: { durationMs: 1_000 } }))
    const beganAtMs = holder.actualState().captures.get('shop/web')?.firstOpenedAtMs ?? 0
    await sendUntil(beganAtMs + 1_500)
    await close(holder, id, 'limit')
    const times = timesIn(directory)
    t.true(times.length > 0 && times.every(atMs => atMs < beganAtMs + 1_000))
    t.is(row(holder).endedAtMs, beganAtMs + 1_000)
  },
)

networkTest(
  'TapManager goes on in the same file and record with the next window, without a gap',
  async t => {
    const { pod, directory, holder, sendUntil } = await traffic(t)
    const first = { fromMs: Date.now() - 1_000, untilMs: Date.now() + 3_000 }
    await open(holder, specFor(pod.hostName, { window: first }))
    await sendUntil(first.untilMs + 100)
    holder.startDue()
    await close(holder, id, 'window')
    const before = row(holder)
    t.is(before.endedAtMs, first.untilMs)
    const second = { fromMs: Date.now() + 3_000, untilMs: Date.now() + 4_000 }
    await open(holder, specFor(pod.hostName, { window: second }))
    t.deepEqual(row(holder), before)
    await sendUntil(second.untilMs + 100)
    await close(holder, id, 'window')
    t.like(row(holder), { startedAtMs: before.startedAtMs, endedAtMs: second.untilMs, gaps: [] })
    t.deepEqual(visible(directory), [`web-0_${pod.hostName}.pcap`])
    const times = timesIn(directory)
    t.is(row(holder).packets, times.length)
    for (const { fromMs, untilMs } of [first, second])
      t.true(times.some(atMs => atMs >= fromMs && atMs < untilMs))
    t.true(
      times.every(atMs =>
        [first, second].some(({ fromMs, untilMs }) => atMs >= fromMs && atMs < untilMs),
      ),
    )
  },
)

type Traffic = {
  readonly pod: { readonly hostName: string }
  readonly directory: string
  readonly holder: TapManager
  readonly sendUntil: (atMs: number) => Promise<void>
}

/**
 * A pod with a packet each millisecond until the time that is asked for, at the latest some 50
 * after it.
 */
async function traffic(t: Parameters<typeof folder>[0] & Scope): Promise<Traffic> {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  let sent = 0 // numbers go on from call to call
  const sendUntil = async (atMs: number): Promise<void> => {
    while (Date.now() < atMs) {
      await sender.udp({ to: pod.hostAddress, port, count: 25, first: sent, gapMs: 1 })
      sent += 25
    }
  }
  return { pod, directory, holder: await holderIn(t, directory), sendUntil }
}

const visible = (directory: string): string[] =>
  readdirSync(join(directory, 'shop', 'web')).filter(name => !name.startsWith('.'))

function recordsIn(directory: string) {
  const folderPath = join(directory, 'shop', 'web')
  return existsSync(folderPath)
    ? visible(directory).flatMap(name => readRecords(readFileSync(join(folderPath, name)), 'pcap'))
    : []
}

const timesIn = (directory: string): number[] =>
  recordsIn(directory).map(({ atNs }) => Number(atNs / 1_000n) / 1_000)
const numbersIn = (directory: string): (number | undefined)[] =>
  recordsIn(directory).map(({ bytes }) => numberOf(bytes))
