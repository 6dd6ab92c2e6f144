// The gaps that an endpoint's record tells of when others take a file away.
import test, { type ExecutionContext } from 'ava'
import { CaptureFolder } from '../../../src/files/captureFolder.ts'
import { lostFileReasons } from '../../../src/model/capture.ts'
import { EndpointRecord } from '../../../src/tap/endpointRecord.ts'
import { folder } from '../../support/captureDirectory.ts'
import { HandClock } from '../../support/handClock.ts'

const { removed } = lostFileReasons
const identity = { name: 'web-0', uid: 'u', interfaceName: 'cali1', vantage: 'HostVeth' } as const

async function recordIn(t: ExecutionContext): Promise<EndpointRecord> {
  const captureDir = folder(t)
  const capture = { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'c' } as const
  const clock = new HandClock(9_000)
  const files = await CaptureFolder.create({ captureDir, capture, node: 'n', nowMs: 0 })
  const live = () => t.fail() as never
  return new EndpointRecord({ folder: files, clock, identity, live }, 'web-0_cali1.pcap')
}

test('noteLost() tells of the gap of a file that was left before the open gap began', async t => {
  const record = await recordIn(t)
  record.beginGap(removed, 5_000)
  record.noteLost({ reason: removed, packets: 3, fromMs: 3_000, toMs: 5_000 })
  t.is(record.state.lost, 3)
  t.deepEqual(record.state.gaps, [
    { fromMs: 3_000, toMs: 5_000, reason: removed },
    { fromMs: 5_000, reason: removed },
  ])
})

test('noteLost() counts packets of a file whose gap is open already, and tells of no second gap', async t => {
  const lost = { reason: removed, packets: 3, fromMs: 5_000 }
  for (const each of [lost, { ...lost, fromMs: 4_000 }, { ...lost, toMs: 7_000 }]) {
    const record = await recordIn(t)
    record.beginGap(removed, 5_000)
    record.noteLost(each)
    t.is(record.state.lost, 3)
    t.deepEqual(record.state.gaps, [{ fromMs: 5_000, reason: removed }])
  }
})

test('noteLost() without an open gap tells of one until now, or until another file began', async t => {
  const record = await recordIn(t)
  record.noteLost({ reason: removed, packets: 1, fromMs: 3_000, toMs: 5_000 })
  record.noteLost({ reason: removed, packets: 1, fromMs: 6_000 })
  t.deepEqual(record.state.gaps, [
    { fromMs: 3_000, toMs: 5_000, reason: removed },
    { fromMs: 6_000, toMs: 9_000, reason: removed },
  ])
})
