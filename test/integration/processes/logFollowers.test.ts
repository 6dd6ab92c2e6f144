// Who prints when: captures that come, fail and go.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import pino from 'pino'
import { LogFollowers } from '../../../src/artifacts/text/logFollowers.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { ethernet, ipv4, numbered, udp } from '../../support/pcap/frames.ts'
import { pcapFile } from '../../support/pcap/pcap.ts'
import { remains, until } from '../../support/until.ts'

const capture = { api: 'PacketCaptureConfig', namespace: '', name: 'live', uid: 'u' } as const
const followed = { key: 'networking.packet.io/live', capture }
const data = ethernet({ type: 0x0800, body: ipv4({ protocol: 17, body: udp(numbered(1)) }) })
const record = (number: number) =>
  pcapFile([{ atUs: 1_800_000_000_000_000 + number, original: data.length, data }]).subarray(24)

function stage(t: ExecutionContext) {
  const root = mkdtempSync(join(tmpdir(), 'selcap-live-'))
  const folder = join(root, 'live')
  const printed: string[] = []
  const warnings: { readonly capture?: string; readonly error?: string }[] = []
  const state = { isThere: false, refusals: 0, looks: 0 }
  const followers = new LogFollowers({
    clock: systemClock,
    log: pino({}, { write: line => warnings.push(JSON.parse(line)) }),
    folderOf: (_, uid) => {
      state.looks++
      return state.isThere && uid === 'u' ? folder : undefined
    },
    print: async text => {
      if (state.refusals-- > 0)
        throw Object.assign(new Error('EIO: i/o error, write'), { syscall: 'write' })
      printed.push(text)
    },
  })
  t.teardown(async () => {
    await followers[Symbol.asyncDispose]()
    rmSync(root, { recursive: true, force: true })
  })
  const open = () => {
    mkdirSync(folder)
    writeFileSync(join(folder, 'a_eth0.pcap'), pcapFile([]))
    state.isThere = true
  }
  const add = (number: number) => appendFileSync(join(folder, 'a_eth0.pcap'), record(number))
  const times = () =>
    Array.from(printed.join('').matchAll(/^PACKET: \S+ 08:00:00\.(\d+) /gm), ([, us]) => Number(us))
  return { followers, folder, printed, warnings, state, open, add, times }
}

test('LogFollowers print from when there are files until the capture is left', async t => {
  const { followers, open, add, times, state } = stage(t)
  followers.follow([followed])
  followers.follow([followed])
  await until('a look in vain', () => state.looks > 0)
  open()
  add(0)
  await until('the first line', () => times().length === 1)
  add(1)
  await until('the second line', () => times().length === 2)
  await followers.stop('u')
  add(2)
  await remains('two lines', 600, () => times().length === 2)
  t.deepEqual(times(), [0, 1])
  followers.follow([followed])
  await until('the third line', () => times().length === 3)
  t.deepEqual(times(), [0, 1, 2])
})

test('LogFollowers try again what fails, say so once, and repeat and lose nothing', async t => {
  const { followers, open, add, times, warnings, state } = stage(t)
  state.refusals = 2
  open()
  for (const number of [0, 1, 2]) add(number)
  followers.follow([followed])
  await until('the lines', () => times().length === 3)
  add(3)
  await until('one more', () => times().length === 4)
  t.deepEqual(times(), [0, 1, 2, 3])
  t.is(warnings.length, 1)
  t.like(warnings[0], { capture: followed.key, error: 'EIO: i/o error, write' })
})

test('LogFollowers end with a capture whose files are gone, without a word', async t => {
  const { followers, open, add, times, warnings, state, folder } = stage(t)
  open()
  add(0)
  followers.follow([followed])
  await until('the line', () => times().length === 1)
  rmSync(folder, { recursive: true })
  state.isThere = false
  await remains('no warning', 600, () => warnings.length === 0)
  followers.follow([])
  await followers.stop('u')
  t.deepEqual(warnings, [])
})
