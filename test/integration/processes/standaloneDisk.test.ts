// `selcap standalone` on disks that are short of room or full, for real: what it stops, what it
// says, how it goes on.
import { execFileSync } from 'node:child_process'
import {
  readdirSync,
  readFileSync,
  renameSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { serialNetworkTest as networkTest } from '../../support/net/privilege.ts'
import { fill } from '../../support/net/smallDisk.ts'
import type { Standalone } from '../../support/processes/standalone.ts'
import {
  createdAt,
  degraded,
  message,
  packets,
  twoCaptures,
} from '../../support/processes/twoCaptures.ts'
import { until } from '../../support/until.ts'

networkTest(
  'captureDiskBytesMax stops the oldest capture first, and it goes on when a deletion made room',
  async t => {
    const { app, start, send } = await twoCaptures(t, {
      captureDiskBytesMax: 2_000_000,
      captureDiskFreePercentMin: 0,
    })
    await start()
    await send(880) // together 1,862,080 bytes: with what both may write meanwhile too much, with what one may write not
    await app.reaches('Error', 'old')
    t.regex(
      message(app, 'old'),
      /^Stopped by the node, the oldest capture first: capture files take 1\d{6} bytes and captureDiskBytesMax is 2000000/,
    )
    t.is(degraded(app, 'old'), 'True DiskBudget')
    await send(10)
    await app.counts(890, 'new')
    t.is(app.status('new')?.status?.state, 'Capturing')
    const kept = packets(app, 'old')
    t.is(app.records('old'), kept)
    t.true(kept <= 880)
    unlinkSync(join(app.root, 'manifests', 'new.yaml'))
    await app.reaches('Capturing', 'old')
    t.is(app.status('new'), undefined)
    await send(5)
    await app.counts(kept + 5, 'old')
    t.is(app.records('old'), kept + 5)
    t.is(app.status('old')?.status?.files[0]?.endpoints[0]?.gaps.length, 1)
    t.is(degraded(app, 'old').split(' ')[0], 'False')
  },
)

networkTest('captureDiskBytesMax is never passed by what captures write in one go', async t => {
  const { app, start, send, captures } = await twoCaptures(t, {
    captureDiskBytesMax: 2_000_000,
    captureDiskFreePercentMin: 0,
  })
  await start()
  const isStopped = (name: string) => app.status(name)?.status?.state === 'Error'
  for (let sent = 0; sent < 3_000 && !(isStopped('old') && isStopped('new')); sent += 90) {
    await send(90) // less than what is kept free for each tap between two looks: a twentieth of the budget
    await until('the counts', () =>
      ['old', 'new'].every(name => isStopped(name) || packets(app, name) === sent + 90),
    )
    t.true(bytesUnder(captures) <= 2_000_000)
  }
  for (const name of ['old', 'new']) t.regex(message(app, name), /captureDiskBytesMax is 2000000/)
  t.true(packets(app, 'old') <= packets(app, 'new'))
  t.true(bytesUnder(captures) > 1_000_000)
})

networkTest(
  'captureDiskFreePercentMin stops the oldest capture first, the next one when it gets worse, and all go on when there is room',
  async t => {
    const { app, start, send, captured, captures } = await twoCaptures(
      t,
      {},
      { of: 'captures', kibibytes: 40_960 },
    )
    await start()
    await captured(10)
    fillUpTo(captures, 14.5)
    await app.reaches('Error', 'old')
    t.regex(
      message(app, 'old'),
      /^Stopped by the node, the oldest capture first: 14\.[45] % of the disk is free and captureDiskFreePercentMin is 15/,
    )
    t.is(degraded(app, 'old'), 'True DiskFloor')
    await send(10)
    await app.counts(20, 'new')
    app.write('late.yaml', createdAt('2026-01-03T00:00:00Z', 'late'))
    await until('the refusal', () => /captureDiskFreePercentMin is 15/.test(message(app, 'late')))
    t.is(app.status('new')?.status?.state, 'Capturing')
    fillUpTo(captures, 12.5)
    await app.reaches('Error', 'new')
    t.is(degraded(app, 'new'), 'True DiskFloor')
    unlinkSync(join(captures, 'filler'))
    for (const name of ['old', 'new']) await app.reaches('Capturing', name)
    await app.reaches('WaitingForTraffic', 'late')
    await send(10)
    await app.counts(20, 'old')
    await app.counts(30, 'new')
    await app.counts(10, 'late')
    for (const name of ['old', 'new']) t.is(degraded(app, name).split(' ')[0], 'False')
  },
)

networkTest(
  'a disk that others fill to the last byte stops all captures and ends nothing: all go on when there is room',
  async t => {
    const { app, start, send, captured } = await twoCaptures(t, {}, { of: 'all', kibibytes: 8_192 }) // manifests and status too, as in the README
    const filler = join(app.root, 'filler')
    const said = (text: string) => app.log.filter(line => line.includes(text)).length
    await start()
    await captured(10)
    const late = join(app.root, 'late.yaml')
    writeFileSync(late, stringify(createdAt('2026-01-03T00:00:00Z', 'late')))
    fill(filler, 16_000_000)
    await until('both to stop', () => said('"reason":"disk"') === 2)
    const waiting = (name: string): string[] =>
      readdirSync(join(app.root, 'captures', 'shop', name)).filter(file => file.includes('.next'))
    await until('their waiting files to go', () =>
      ['old', 'new'].every(name => waiting(name).length === 0),
    )
    fill(filler, 16_000_000) // what they let go
    renameSync(late, join(app.root, 'manifests', 'late.yaml'))
    await until(
      'both refusals',
      () => said('identities not stored') > 0 && said('status not published') > 0,
    )
    await send(10)
    unlinkSync(filler)
    for (const name of ['old', 'new']) await app.reaches('Capturing', name)
    await app.reaches('WaitingForTraffic', 'late')
    t.is(said('status published again'), 1)
    await send(10)
    for (const name of ['old', 'new', 'late']) await app.counts(name === 'late' ? 10 : 20, name)
    const uids = ['old', 'new', 'late'].map(name => app.status(name)?.metadata.uid ?? '-')
    await until('the identities', () =>
      uids.every(uid =>
        readFileSync(join(app.root, 'status', '.identities.json'), 'utf8').includes(uid),
      ),
    )
    fill(filler, 16_000_000)
    await until('all to stop again', () => said('"reason":"disk"') === 5)
    t.is(await app.stop(), 0)
    unlinkSync(filler)
    await start('Capturing')
    t.deepEqual(
      ['old', 'new', 'late'].map(name => [
        app.status(name)?.metadata.uid,
        app.records(name),
        packets(app, name),
      ]),
      uids.map((uid, index) => [uid, [20, 20, 10][index], [20, 20, 10][index]]),
    )
  },
)

networkTest(
  'a capture that is new on a full disk is an Error that says so, and begins when there is room',
  async t => {
    const { app, start, captures } = await twoCaptures(
      t,
      { captureDiskFreePercentMin: 0 },
      { of: 'captures', kibibytes: 1_024 },
    )
    await start()
    fill(join(captures, 'filler'), 2_000_000)
    app.write('late.yaml', createdAt('2026-01-03T00:00:00Z', 'late'))
    await app.reaches('Error', 'late')
    t.regex(message(app, 'late'), /ENOSPC|disk is full/)
    t.is(degraded(app, 'late'), 'True TapFailed')
    t.is(app.status('new')?.status?.state, 'WaitingForTraffic')
    unlinkSync(join(captures, 'filler'))
    await app.reaches('WaitingForTraffic', 'late')
    t.is(degraded(app, 'late').split(' ')[0], 'False')
  },
)

networkTest(
  'standalone starts on a full disk with what an earlier run left, stops there, and goes on in the same files',
  async t => {
    const { app, start, captured, captures } = await twoCaptures(
      t,
      { captureDiskFreePercentMin: 0 },
      { of: 'captures', kibibytes: 1_024 },
    )
    await start()
    await captured(10)
    await app.stop('SIGKILL')
    fill(join(captures, 'filler'), 2_000_000)
    await start('Capturing')
    t.is(await app.stop(), 0)
    for (const name of ['old', 'new']) t.is(app.records(name), 10)
    await start('Capturing')
    unlinkSync(join(captures, 'filler'))
    await captured(10, 20)
    for (const name of ['old', 'new']) {
      t.is(app.files(name).length, 1)
      t.is(app.records(name), 20)
    }
  },
)

networkTest(
  'a disk that captures fill to the last byte says so, counts what is lost, and is written again when there is room',
  async t => {
    const { app, start, send, captures } = await twoCaptures(
      t,
      { captureDiskFreePercentMin: 0 },
      { of: 'captures', kibibytes: 1_024 },
    )
    await start()
    await send(1_200)
    for (const name of ['old', 'new']) {
      await until(`${name} to fail`, () =>
        /Cannot write to "web-0_.*\.pcap": ENOSPC/.test(message(app, name)),
      )
      await until(
        `${name} to count`,
        () => packets(app, name) + refusedOf(message(app, name)) === 1_200,
      )
      t.is(app.status(name)?.status?.state, 'Capturing')
      t.is(degraded(app, name), 'True WriteFailed')
      t.is(app.records(name), packets(app, name))
    }
    t.true(bytesUnder(captures) > 1_000_000) // of 1,048,576
    const kept = packets(app, 'new')
    unlinkSync(join(app.root, 'manifests', 'old.yaml'))
    await until('new to be written again', () => !message(app, 'new').includes('ENOSPC'))
    await send(10)
    await app.counts(kept + 10, 'new')
    t.is(app.records('new'), kept + 10)
    t.is(refusedOf(message(app, 'new')), 1_200 - kept)
  },
)

networkTest(
  'captures that rotate quickly keep whole files and count every packet on a full disk, and rotate again when there is room',
  async t => {
    const settings = {
      captureDiskFreePercentMin: 0,
      captureMaxSizeBytes: 20_000,
      captureMaxFiles: 100,
    }
    const { app, start, send, captures } = await twoCaptures(t, settings, {
      of: 'captures',
      kibibytes: 1_024,
    })
    await start()
    await send(800)
    for (const name of ['old', 'new'])
      await until(`${name} to fail`, () => /ENOSPC|disk is full/.test(message(app, name)))
    for (const name of ['old', 'new']) t.is(degraded(app, name), 'True WriteFailed')
    const files = app.files('new').length
    unlinkSync(join(app.root, 'manifests', 'old.yaml'))
    // Without a next file packets wait in the ring: most of them are not lost.
    await until('every packet to be counted', () => lotsOf(app, 'new') === 800)
    await until('new to be written again', () => !/ENOSPC|disk is full/.test(message(app, 'new')))
    const kept = packets(app, 'new')
    await send(60)
    await app.counts(kept + 60, 'new')
    t.is(app.records('new'), kept + 60)
    t.true(app.files('new').length > files) // quick rotations may have made files of 64 KiB
    for (const file of app.files('new')) t.notThrows(() => execFileSync('tcpdump', ['-nr', join(captures, 'shop', 'new', file)], { stdio: 'pipe' })) // biome-ignore format: one line
  },
)

/** Leaves that much of the disk free. */
function fillUpTo(directory: string, freePercent: number): void {
  const { bavail, blocks, bsize } = statfsSync(directory)
  fill(join(directory, 'filler'), Math.round(bavail - (blocks * freePercent) / 100) * bsize)
}

/** Packets whose lot is known. */
function lotsOf(app: Standalone, name: string): number {
  return (
    packets(app, name) + refusedOf(message(app, name)) + (app.status(name)?.status?.dropped ?? 0)
  )
}

/** By the message. */
function refusedOf(text: string): number {
  return Number(/(\d+) packets? received but not written/.exec(text)?.[1] ?? 0)
}

function bytesUnder(captures: string): number {
  const found = execFileSync('find', [captures, '-name', '*.pcap', '-printf', '%s\\n'], {
    encoding: 'utf8',
  })
  return found.split('\n').reduce((sum, bytes) => sum + Number(bytes), 0)
}
