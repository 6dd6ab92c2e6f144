// A capture with a window to come, on a real engine: what status and streams show before it, and
// what files and streams hold after.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import type { PacketCaptureStatus } from '../../../../src/model/status.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { capture, endpoint, Keeper, TestNode } from '../../../support/net/streamNode.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { numberOf } from '../../../support/pcap/frames.ts'
import { readStream } from '../../../support/pcap/pcapng.ts'
import { until } from '../../../support/until.ts'

networkTest(
  'Engine opens taps before their window and shows nothing of them; file and stream hold exactly the window',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const node = await TestNode.start(t)
    node.write('endpoint.yaml', endpoint('web-0', pod.hostName))
    const fromMs = Date.now() + 6_000
    const untilMs = fromMs + 3_000
    node.write(
      'capture.yaml',
      capture({
        startTime: new Date(fromMs).toISOString(),
        endTime: new Date(untilMs).toISOString(),
      }),
    )
    const statusNow = () => statusOf(node.root)
    let sent = 0 // numbers go on from before the window to after it
    const send = async () => {
      await sender.udp({ to: pod.hostAddress, port, count: 25, first: sent, gapMs: 1 })
      sent += 25
    }

    await until('the tap', () => node.holder.actualState().taps.size === 1)
    t.true(Date.now() < fromMs)
    while (Date.now() < fromMs - 500) await send()
    t.like(statusNow(), { state: 'Scheduled', packets: 0 })
    t.is(node.engine.specsOf('shop/web'), undefined)
    const [file] = statusNow()?.files ?? []
    t.like(file, { state: 'Scheduled', fileNames: [] })
    t.deepEqual(file?.endpoints.map(({ state, startedAt }) => [state, startedAt]), [['Scheduled', undefined]]) // biome-ignore format: one line

    while (node.engine.specsOf('shop/web') === undefined) await send()
    t.deepEqual(node.engine.specsOf('shop/web')?.specs.map(({ window }) => window), [{ fromMs, untilMs }]) // biome-ignore format: one line
    const { stream } = node.open()
    const kept = new Keeper(stream)
    while (Date.now() < untilMs + 300) await send()
    await kept.ended
    await until('the end', () => statusNow()?.state === 'Finished')

    const records = readRecords(
      readFileSync(join(node.root, 'captures', 'shop', 'web', `web-0_${pod.hostName}.pcap`)),
      'pcap',
    )
    const isWithin = ({ atNs }: { readonly atNs: bigint }) =>
      atNs >= BigInt(fromMs) * 1_000_000n && atNs < BigInt(untilMs) * 1_000_000n
    t.true(records.length > 0 && records.every(isWithin))
    const numbers = records.map(({ bytes }) => numberOf(bytes) ?? -1)
    const [first = 0, last = 0] = [numbers[0], numbers.at(-1)]
    t.deepEqual(numbers, numbers.map((_, index) => first + index)) // biome-ignore format: one line
    t.true(first > 0 && last < sent - 1)
    const { packets } = readStream(kept.bytes)
    t.true(packets.length > 0 && packets.every(isWithin))
    const [row] = statusNow()?.files[0]?.endpoints ?? []
    t.like(row, {
      state: 'Finished',
      startedAt: new Date(fromMs).toISOString(),
      endedAt: new Date(untilMs).toISOString(),
      gaps: [],
    })
    t.is(row?.packets, records.length)
  },
)

function statusOf(root: string): PacketCaptureStatus | undefined {
  try {
    return (
      parse(readFileSync(join(root, 'status', 'shop', 'web.yaml'), 'utf8')) as {
        status?: PacketCaptureStatus
      }
    ).status
  } catch {
    return undefined // not written yet
  }
}
