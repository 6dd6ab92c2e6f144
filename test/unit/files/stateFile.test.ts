// A state file that cannot be read is never taken for that of a new capture.
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CaptureFolder } from '../../../src/files/captureFolder.ts'
import { listFolders, removeFolder } from '../../../src/files/directories.ts'
import { stateFileName } from '../../../src/files/stateFile.ts'
import type { CaptureRef } from '../../../src/model/captureRef.ts'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'
import { Disk, DiskQueue } from '../../../src/runtime/disk.ts'
import { facts, folder, formats, record } from '../../support/captureDirectory.ts'

const capture: CaptureRef = { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'u1' }
const limitHit = { kind: 'packets', limit: 2, atMs: 5 } as const
const copyName = `${stateFileName}.copy`
const active = 'web-0_cali_1.pcap'

/** A capture whose limit was reached, and its files. */
async function captured(t: ExecutionContext): Promise<{ captureDir: string; directory: string }> {
  const captureDir = folder(t)
  const made = await CaptureFolder.create({ captureDir, capture, node: 'node-0', nowMs: 1 })
  made.setLimitHit(limitHit)
  await made.save(2, true)
  for (const [name, records] of [
    ['web-0_cali_1-20260101T000000.000Z.pcap', 2],
    [active, 1],
    ['web-1_cali2.pcap', 3],
  ] as const)
    writeFileSync(
      join(made.directory, name),
      Buffer.concat([
        fileHeader({ ...facts, format: 'pcap' }),
        ...Array.from({ length: records }, () => record('pcap')),
      ]),
    )
  return { captureDir, directory: made.directory }
}

/** What the next start makes of it. */
async function adopted(captureDir: string): Promise<CaptureFolder> {
  const found = (await listFolders(captureDir)).found.get('shop/web')
  if (!found) throw new Error('the directory was not found')
  return CaptureFolder.adopt(found.directory, found.state, 'node-0')
}

const damages: readonly (readonly [
  what: string,
  damage: (path: string) => unknown,
  reason: RegExp,
])[] = [
  ['is empty', path => truncateSync(path), /expected JSON/],
  ['is cut off', path => truncateSync(path, 40), /expected JSON/],
  ['is of another version', path => writeFileSync(path, '{"version":2}'), /expected a state/],
  ['is larger than any state', path => truncateSync(path, 3e8), /expected at most/],
  ['is a directory', path => replaced(path, () => mkdirSync(path)), /expected a file/],
  ['is a link', path => replaced(path, () => symlinkSync('/dev/zero', path)), /ELOOP/],
  ['is missing', path => rmSync(path), /it is missing/],
]

function replaced(path: string, make: () => void): void {
  rmSync(path)
  make()
}

for (const [what, damage, reason] of damages) {
  test(`a limit stays reached when the state file ${what}: its copy and the files tell of it`, async t => {
    const { captureDir, directory } = await captured(t)
    damage(join(directory, stateFileName))
    const { unreadable, endpoints, ...state } = (await adopted(captureDir)).actualState()
    t.like(state, { uid: 'u1', limitHit, firstOpenedAtMs: 1_700_000_000_000.005 })
    t.regex(unreadable ?? '', reason)
    t.deepEqual(
      [...endpoints.values()].map(({ name, interfaceName, packets, bytes, received }) => [
        name,
        interfaceName,
        packets,
        bytes,
        received,
      ]),
      [
        ['web-0', 'cali_1', 3, 228, 3],
        ['web-1', 'cali2', 3, 228, 3],
      ],
    )
  })

  test(`what is kept aside stays, and the next state replaces it, when the state file ${what}`, async t => {
    const { captureDir, directory } = await captured(t)
    damage(join(directory, stateFileName))
    const aside = () => readdirSync(directory).filter(name => name.includes('unreadable'))
    await (await adopted(captureDir)).save(9, true)
    const kept = aside()
    t.is(kept.length, what === 'is missing' ? 0 : 1)
    const again = await adopted(captureDir)
    t.deepEqual(aside(), kept)
    t.like(again.actualState(), { uid: 'u1', limitHit })
    t.regex(again.actualState().unreadable ?? '', reason) // until the capture is removed
    t.is(again.written().packets, 6)
    await removeFolder(captureDir, capture, new DiskQueue(new Disk()))
    t.deepEqual(readdirSync(captureDir), [])
  })

  test(`files count for the next capture of that name when the state file ${what}, and the copy too`, async t => {
    const { captureDir, directory } = await captured(t)
    damage(join(directory, stateFileName))
    writeFileSync(join(directory, copyName), '')
    const unowned = await adopted(captureDir)
    t.is(unowned.capture.uid, '')
    await unowned.save(9, false)
    const folder = await CaptureFolder.create({ captureDir, capture, node: 'node-0', nowMs: 10 })
    t.is(folder.written().packets, 6)
    t.like(folder.actualState(), { uid: 'u1', firstOpenedAtMs: 1_700_000_000_000.005 })
    t.regex(folder.actualState().unreadable ?? '', reason)
    t.is((await adopted(captureDir)).capture.uid, 'u1')
  })
}

for (const format of formats)
  test(`a copy that is older than its endpoint's next files counts them once (${format})`, async t => {
    const captureDir = folder(t)
    const made = await CaptureFolder.create({ captureDir, capture, node: 'node-0', nowMs: 1 })
    const name = `web-0_cali1.${format}`
    const head = fileHeader({ ...facts, format })
    const one = record(format)
    writeFileSync(join(made.directory, name), Buffer.concat([head, one]))
    const counts = { packets: 1, received: 4, dropped: 3, refused: 0, truncated: 0 }
    const endpoint = {
      name: 'web-0',
      uid: 'p',
      interfaceName: 'cali1',
      vantage: 'PodNetns',
    } as const
    const bytes = one.length
    made.end(
      'web-0',
      {
        facts: { ...endpoint, ...counts, bytes, gaps: [], endedAtMs: 3 },
        active: {
          ...{ name, inode: 1, bytes: head.length + bytes, packets: 1, recordBytes: bytes },
          ...{ received: 4, dropped: 3, beganAtMs: 1, settings: '' },
        },
      },
      'window',
    )
    await made.save(4, true)
    const state = join(made.directory, stateFileName)
    truncateSync(state)
    const unchanged = (await adopted(captureDir)).actualState().endpoints.get('web-0')
    t.like(unchanged, { ...endpoint, ...counts, endedAtMs: 3 })
    appendFileSync(join(made.directory, name), one)
    const grown = (await adopted(captureDir)).actualState().endpoints.get('web-0')
    t.like(grown, { ...endpoint, ...counts, packets: 2, received: 5 })
    t.is(readFileSync(state).length, 0) // until it is saved
  })
