// Until when packets are in a tap's active file, as its files are told.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { DriverTap, Sink } from '../../../src/driver/driver.ts'
import { type LostFile, lostFileReasons } from '../../../src/model/capture.ts'
import { noCounters } from '../../../src/tap/endpointCounters.ts'
import { TapFiles } from '../../../src/tap/tapFiles.ts'
import { folder, series } from '../../support/captureDirectory.ts'
import { until } from '../../support/until.ts'

const rotation = { fileBytesMax: 1_000, fileAgeMsMax: 1e9, filesMax: 2 }

/** Files whose driver's tap is at 10 s, with a clock to set. */
async function filesIn(t: ExecutionContext) {
  const directory = folder(t)
  const clock = { nowMs: 10_000 }
  const offered: Sink[] = []
  const lost: LostFile[] = []
  const files = new TapFiles(await series(directory, { packetsSinceMs: 10_000 }), {
    rotation,
    now: () => clock.nowMs,
    onMoved: () => {},
    onLost: each => lost.push(each),
    onBroken: error => t.fail(String(error)),
  })
  const tap: Partial<DriverTap> = {
    counters: () => noCounters,
    waiting: () => ({ bytes: 0, oldestMs: 0 }),
    offer: sink => offered.push(sink),
    setBytesLeft: () => {},
  }
  t.teardown(() => files.release(noCounters))
  const attach = () => files.attach(tap as DriverTap)
  return { directory, clock, offered, lost, files, attach }
}

const at = (lastPacketMs: number) => ({ ...noCounters, lastPacketMs })

test('TapFiles.moved() takes packets after the last record for those of the next file, however long it was waited for', async t => {
  const { directory, clock, offered, lost, files, attach } = await filesIn(t)
  attach()
  await until('the next file', () => offered.length === 1)
  rmSync(join(directory, files.name))
  clock.nowMs = 15_000
  files.moved(at(12_000))
  t.is(files.seenAtMs, 12_000)
  await until('the lost file', () => lost.length === 1)
  t.deepEqual(lost, [{ reason: lostFileReasons.removed, packets: 0, fromMs: 10_000, toMs: 12_000 }])
})

test('TapFiles.check() without a next file takes no time for written after the last record', async t => {
  const { clock, offered, files, attach } = await filesIn(t)
  attach()
  clock.nowMs = 15_000
  await files.check(at(12_000))
  t.is(files.seenAtMs, 12_000)
  await until('the next file', () => offered.length === 1)
  await files.check(at(12_000))
  t.is(files.seenAtMs, 12_000, 'what waited in the ring may be there still')
  clock.nowMs = 19_000
  await files.check(at(12_000))
  t.is(files.seenAtMs, 18_000, 'with a next file nothing waits in the ring for so long')
  files.moved(at(12_000))
  clock.nowMs = 25_000
  await files.check(at(19_000))
  t.is(files.seenAtMs, 19_000, 'the next file became the active one')
  await until('another file', () => offered.length === 2 && !files.isMoving)
  clock.nowMs = 30_000
  await files.check(at(19_000))
  t.is(files.seenAtMs, 29_000)
})
