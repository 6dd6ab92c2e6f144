// Contract: a full disk. Whole records stay, what is lost is counted, and retry() goes on where the
// file ends.
import { unlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Driver, LimitGroup } from '../../../../src/driver/driver.ts'
import { numberOf } from '../../pcap/frames.ts'
import { Capture } from '../capture.ts'
import type { Scope } from '../namespace.ts'
import { podWithPort } from '../podWithPort.ts'
import { fill, mountDisk } from '../smallDisk.ts'
import type { Check } from './contract.ts'
import { range } from './packets.ts'

export function diskChecks(check: Check): void {
  check(
    'retry() goes on after writeFailed, and the file ends with a whole record in between, when a disk is full',
    async (t, driver) => {
      const { capture, send, makeRoom } = await captureOnFullDisk(t, driver, 300_000)
      await send({ count: 300, bytes: 1_000 })
      await capture.told('writeFailed')
      const event = capture.events.find(({ kind }) => kind === 'writeFailed')
      t.like(event, { kind: 'writeFailed', code: 'ENOSPC', fd: capture.files[0]?.fd ?? -1 })
      await capture.settles(300)
      const whole = capture.records().length
      t.true(whole > 10 && whole < 300)
      t.like(capture.tap.counters(), { packets: whole, refused: 300 - whole })
      makeRoom()
      await send({ count: 10, first: 300 })
      await capture.holds(whole + 10)
      const counters = await capture.close()
      t.deepEqual(capture.records().map(({ bytes }) => numberOf(bytes)), [...range(0, whole), ...range(300, 310)]) // biome-ignore format: one line
      t.like(counters, { received: 310, packets: whole + 10, refused: 300 - whole })
      t.is(counters?.bytes, capture.records().reduce((sum, { size }) => sum + size, 0)) // biome-ignore format: one line
    },
  )

  check(
    'retry() gives the sink back what did not reach it, when a write failed',
    async (t, driver) => {
      const { capture, send, makeRoom } = await captureOnFullDisk(t, driver, 350_000, {
        bytesLeft: 200_000,
      })
      await send({ count: 150, bytes: 1_000 })
      await capture.settles(150)
      makeRoom()
      await send({ count: 250, bytes: 1_000 })
      const full = Math.floor(200_000 / 1_058)
      await capture.holds(full)
      t.like(await capture.close(), { packets: full })
    },
  )

  check('setLeft() counts what is on disk only, when a write failed', async (t, driver) => {
    const group = driver.group()
    group.setLeft({ packets: 200 })
    const { capture, send, makeRoom } = await captureOnFullDisk(t, driver, 350_000, { group })
    await send({ count: 150, bytes: 1_000 })
    await capture.settles(150)
    const { packets } = capture.tap.counters()
    t.true(packets > 0 && packets < 150)
    makeRoom()
    await send({ count: 250 })
    await capture.told('limit')
    await capture.settles(400)
    t.is(capture.tap.counters().packets, 200)
    t.is(capture.records().length, 200)
  })

  check(
    'setLeft() tells of no limit that packets of a full disk would have reached',
    async (t, driver) => {
      const group = driver.group()
      group.setLeft({ packets: 100 })
      const { capture, send, makeRoom } = await captureOnFullDisk(t, driver, 350_000, { group })
      await send({ count: 100, bytes: 1_000 })
      await capture.settles(100)
      t.true(capture.tap.counters().packets < 100)
      makeRoom()
      await send({ count: 10 })
      await capture.settles(110)
      t.false(capture.has('limit'))
      await send({ count: 100 })
      await capture.told('limit')
      t.is(capture.records().length, 100)
    },
  )
}

/** A capture into a file system of which so many bytes are taken. */
async function captureOnFullDisk(
  scope: Scope,
  driver: Driver,
  taken: number,
  options: { readonly bytesLeft?: number; readonly group?: LimitGroup } = {},
) {
  const { pod, sender, port } = await podWithPort(scope)
  const directory = await smallDisk(scope)
  const filler = join(directory, 'filler')
  fill(filler, taken)
  const interfaceName = pod.hostName
  const capture = await Capture.open(scope, driver, {
    interfaceName,
    filter: 'udp',
    directory,
    ...options,
  })
  return {
    capture,
    send: (packets: Omit<Parameters<typeof sender.udp>[0], 'to' | 'port'>) =>
      sender.udp({ to: pod.hostAddress, port, ...packets }),
    makeRoom(): void {
      unlinkSync(filler)
      capture.tap.retry()
    },
  }
}

/** A file system of 400 KiB. */
async function smallDisk(scope: Scope): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selcap-disk-'))
  scope.teardown(() => rm(directory, { recursive: true }))
  await mountDisk(scope, directory, 400)
  return directory
}
