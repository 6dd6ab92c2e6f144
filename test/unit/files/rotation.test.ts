// The active, waiting and rotated files of one endpoint.
import {
  fstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isWaiting } from '../../../src/files/names.ts'
import { type LostFileReason, lostFileReasons } from '../../../src/model/capture.ts'
import { ExpectedError } from '../../../src/model/errors.ts'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'
import { Disk, DiskQueue } from '../../../src/runtime/disk.ts'
import { facts, folder, record, series } from '../../support/captureDirectory.ts'

/** Calls `onceBegun` when the next operation waits for its first system call. */
class WatchedQueue extends DiskQueue {
  onceBegun: (() => void) | undefined

  override run<T>(operation: () => Promise<T>): Promise<T> {
    return super.run(() => {
      const done = operation()
      const call = this.onceBegun
      this.onceBegun = undefined
      call?.()
      return done
    })
  }
}

const nothing = { packets: 0, recordBytes: 0, received: 0, dropped: 0 }

test('FileRotation gives the next file the active name, keeps so many rotated ones, and tells two of one millisecond apart', async t => {
  const directory = folder(t)
  const files = await series(directory)
  for (let round = 0; round < 4; round++) {
    await files.offer()
    await files.moved(nothing, 5_000)
  }
  t.deepEqual(readdirSync(directory), [
    'web_cali1-19700101T000005.002Z.pcap',
    'web_cali1-19700101T000005.003Z.pcap',
    'web_cali1.pcap',
  ])
  await files.close(nothing, 6_000)
})

test('FileRotation leaves no waiting file behind when it is closed', async t => {
  const directory = folder(t)
  const files = await series(directory)
  await files.offer()
  await files.offer()
  t.is(readdirSync(directory).length, 3)
  await files.close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1.pcap'])
})

test('FileRotation continues no waiting file of others as if it were empty', async t => {
  const directory = folder(t)
  const waiting = join(directory, '.web_cali1.pcap.next0')
  const left = Buffer.concat([fileHeader({ ...facts, format: 'pcap' }), record('pcap')])
  const files = await series(directory)
  writeFileSync(waiting, left)
  const { fd } = await files.offer()
  t.is(fstatSync(fd).size, 24)
  await files.moved(nothing, 5_000)
  t.is(statSync(join(directory, 'web_cali1.pcap')).size, 24)
  t.is(statSync(waiting).size, left.length)
  await files.close(nothing, 6_000)
})

test('FileRotation never overwrites: what is not continued is rotated, an empty file goes', async t => {
  const directory = folder(t)
  const path = join(directory, 'web_cali1.pcap')
  writeFileSync(path, Buffer.concat([fileHeader({ ...facts, format: 'pcap' }), record('pcap')]))
  await (await series(directory, { nowMs: 7_000 })).close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1-19700101T000007.000Z.pcap', 'web_cali1.pcap'])
  await (await series(directory, { nowMs: 9_000, isOldEmpty: true })).close(nothing, 0)
  t.deepEqual(readdirSync(directory), ['web_cali1-19700101T000007.000Z.pcap', 'web_cali1.pcap'])
})

test('FileRotation gives the driver what is left of a file that is continued', async t => {
  const directory = folder(t)
  const path = join(directory, 'web_cali1.pcap')
  writeFileSync(path, Buffer.concat([fileHeader({ ...facts, format: 'pcap' }), record('pcap')]))
  const files = await series(directory, {
    continues: {
      ...nothing,
      name: 'web_cali1.pcap',
      inode: 1,
      bytes: 100,
      packets: 1,
      recordBytes: 76,
      beganAtMs: 0,
      settings: 's',
    },
  })
  t.like(files.sink(), { bytesLeft: 900, isEmpty: false })
  await files.close(nothing, 0)
  t.is(statSync(path).mode & 0o777, 0o640)
})

test('FileRotation refuses a rotation without a next file as an expected failure, and release() closes the active file', async t => {
  const directory = folder(t)
  const files = await series(directory)
  const { fd } = files.sink()
  t.throws(() => files.moved(nothing, 5_000), {
    instanceOf: ExpectedError,
    message: /moved on without a next file$/,
  })
  t.notThrows(
    () => fstatSync(fd),
    'closed here, its number could be another file by the time of release()',
  )
  await t.notThrowsAsync(() => files.release(nothing))
  t.deepEqual(readdirSync(directory), ['web_cali1.pcap'])
})

const touched: Readonly<Record<LostFileReason, (path: string) => void>> = {
  [lostFileReasons.removed]: path => rmSync(path),
  [lostFileReasons.moved]: path => renameSync(path, `${path}.shipped`),
  [lostFileReasons.replaced]: path => {
    rmSync(path)
    writeFileSync(path, 'of others')
  },
  [lostFileReasons.truncated]: path => truncateSync(path),
}

for (const reason of Object.values(lostFileReasons)) {
  const header = fileHeader({ ...facts, format: 'pcap' })
  const one = { packets: 1, recordBytes: record('pcap').length, received: 1, dropped: 0 }
  const lost = { reason, packets: 1, fromMs: 3_000 }

  /** A file with a record that was seen at 3 s, and that others touched then. */
  async function touchedSeries(t: ExecutionContext) {
    const directory = folder(t)
    const files = await series(directory)
    const path = join(directory, 'web_cali1.pcap')
    writeFileSync(path, record('pcap'), { flag: 'a' })
    t.is(await files.check(one, 3_000), undefined)
    touched[reason](path)
    t.is(await files.check(one, 4_000), reason)
    return { files, path }
  }

  test(`FileRotation.moved() tells what went with a file: ${reason}`, async t => {
    const { files, path } = await touchedSeries(t)
    await files.offer()
    t.deepEqual(await files.moved(one, 5_000, 4_900), { ...lost, toMs: 4_900 })
    t.deepEqual(readFileSync(path), header)
    t.is(await files.check(nothing, 6_000), undefined)
    await files.close(nothing, 6_000)
  })

  test(`FileRotation.continue() begins another file, and tells what went with the last: ${reason}`, async t => {
    const { files, path } = await touchedSeries(t)
    t.deepEqual(await files.continue(one, 5_000), lost)
    t.deepEqual(readFileSync(path), header)
    t.is(await files.check(nothing, 6_000), undefined)
    t.is((await files.close(nothing, 6_000)).packets, 0)
  })

  test(`FileRotation.release() tells what went with a file: ${reason}`, async t => {
    const { files } = await touchedSeries(t)
    t.deepEqual(await files.release(one), lost)
  })
}

test('FileRotation.moved() tells of a gap since the last packet in the file before, however late it heard of the move', async t => {
  const directory = folder(t)
  const files = await series(directory)
  await files.offer()
  await files.moved(nothing, 5_000, 4_800)
  t.is(files.seenAtMs, 4_800)
  rmSync(join(directory, 'web_cali1.pcap'))
  t.like(await files.continue(nothing, 6_000), { reason: lostFileReasons.removed, fromMs: 4_800 })
  await files.close(nothing, 6_000)
})

test('FileRotation tells of a gap since its first packet may have come, which a tap took before the file was there', async t => {
  const directory = folder(t)
  const files = await series(directory, { nowMs: 5_000, packetsSinceMs: 4_700 })
  rmSync(join(directory, 'web_cali1.pcap'))
  t.like(await files.continue(nothing, 6_000), { reason: lostFileReasons.removed, fromMs: 4_700 })
  await files.close(nothing, 6_000)
})

test('FileRotation.moved() goes on without the file that others removed while it waited', async t => {
  const directory = folder(t)
  const files = await series(directory)
  await files.offer()
  rmSync(join(directory, readdirSync(directory).find(isWaiting) ?? ''))
  t.is(await files.moved(nothing, 5_000), undefined)
  t.is(await files.check(nothing, 6_000), lostFileReasons.removed)
  await files.close(nothing, 6_000)
})

test('FileRotation.release() takes for lost no file that the disk refused to rename', async t => {
  const directory = folder(t)
  const files = await series(directory)
  await files.offer()
  const waiting = join(directory, readdirSync(directory).find(isWaiting) ?? '')
  const inTheWay = join(directory, 'web_cali1-19700101T000005.000Z.pcap')
  mkdirSync(join(inTheWay, 'of-others'), { recursive: true })
  await t.throwsAsync(files.moved(nothing, 5_000))
  writeFileSync(waiting, record('pcap'), { flag: 'a' })
  const one = { packets: 1, recordBytes: record('pcap').length, received: 1, dropped: 0 }
  t.is(await files.release(one), undefined)
})

test('FileRotation.check() tells of a file that was cut, also when more was written to it since', async t => {
  const directory = folder(t)
  const queue = new DiskQueue(new Disk())
  const files = await series(directory, { queue })
  const path = join(directory, 'web_cali1.pcap')
  truncateSync(path)
  const one = { packets: 1, recordBytes: record('pcap').length, received: 1, dropped: 0 }
  const checked = files.check(one, 4_000)
  await queue.run(async () => writeFileSync(path, Buffer.alloc(1_000), { flag: 'a' })) // after the first look
  t.is(await checked, lostFileReasons.truncated)
  t.is(files.seenAtMs, 0)
  await files.close(nothing, 6_000)
})

for (const reason of Object.values(lostFileReasons))
  test(`FileRotation.check() leaves it to moved() to tell of a file that was left during the look: ${reason}`, async t => {
    const directory = folder(t)
    const queue = new WatchedQueue(new Disk())
    const files = await series(directory, { queue })
    const path = join(directory, 'web_cali1.pcap')
    writeFileSync(path, record('pcap'), { flag: 'a' })
    const one = { packets: 1, recordBytes: record('pcap').length, received: 1, dropped: 0 }
    t.is(await files.check(one, 3_000), undefined)
    await files.offer()
    touched[reason](path)
    const moved = new Promise(resolve => {
      queue.onceBegun = () => resolve(files.moved(one, 5_000, 4_900))
    })
    t.is(await files.check(one, 4_000), undefined)
    t.deepEqual(await moved, { reason, packets: 1, fromMs: 3_000, toMs: 4_900 })
    t.is(files.seenAtMs, 4_900)
    await files.close(nothing, 6_000)
  })
