// What one capture's folder keeps over restarts, and what it refuses to take for its own.
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CaptureFolder } from '../../../src/files/captureFolder.ts'
import { listFolders } from '../../../src/files/directories.ts'
import { readState, stateFileName } from '../../../src/files/stateFile.ts'
import type { ActiveFile } from '../../../src/files/storedTypes.ts'
import type { ActualEndpoint } from '../../../src/model/actualState.ts'
import type { CaptureRef } from '../../../src/model/captureRef.ts'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'
import { facts as header, record } from '../../support/captureDirectory.ts'

const capture: CaptureRef = { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'u1' }

function captureDir(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-folder-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

function create(captureDir: string, nowMs: number, changed = capture): Promise<CaptureFolder> {
  return CaptureFolder.create({ captureDir, capture: changed, node: 'node-0', nowMs })
}

function facts(name: string, packets: number, endedAtMs: number): ActualEndpoint {
  const none = { dropped: 0, refused: 0, truncated: 0, gaps: [] }
  return {
    name,
    uid: name,
    interfaceName: 'cali1',
    vantage: 'HostVeth',
    packets,
    bytes: packets * 10,
    received: packets,
    endedAtMs,
    ...none,
  }
}

const active: ActiveFile = {
  name: 'web-0_cali1.pcapng',
  inode: 7,
  bytes: 100,
  packets: 3,
  recordBytes: 30,
  received: 5,
  dropped: 2,
  beganAtMs: 1_000,
  firstRecordAtMs: 2_000,
  settings: 's',
}

test('readState() gives back what save() stored', async t => {
  const directory = captureDir(t)
  const folder = await create(directory, 1)
  folder.end('web-0', { facts: facts('web-0', 3, 9), active }, 'window')
  await folder.save(10, true)
  const [row] = (await readState(folder.directory))?.rows ?? []
  t.deepEqual(row, { facts: facts('web-0', 3, 9), active, closed: 'window' })
})

test('readState() believes nothing of a state file of another shape', async t => {
  const directory = captureDir(t)
  const folder = await create(directory, 1)
  const path = join(folder.directory, stateFileName)
  const whole = JSON.parse(readFileSync(path, 'utf8'))
  for (const wrong of [
    { version: 2 },
    { rows: [{}] },
    { rows: [{ facts: facts('a', 1, 1), active: { name: 'x' } }] },
    { savedAtMs: '1' },
  ]) {
    writeFileSync(path, JSON.stringify({ ...whole, ...wrong }))
    t.like(
      await readState(folder.directory),
      { capture: { namespace: 'shop', name: 'web', uid: '' }, rows: [] },
      JSON.stringify(wrong),
    )
  }
})

test('a directory with the state file of another capture is left alone', async t => {
  const directory = captureDir(t)
  await create(directory, 1)
  renameSync(join(directory, 'shop', 'web'), join(directory, 'shop', 'copy'))
  const { found, others } = await listFolders(directory)
  t.is(found.size, 0)
  t.deepEqual(others, [join(directory, 'shop', 'copy')])
  const error = await t.throwsAsync(create(directory, 2, { ...capture, name: 'copy' }))
  t.regex(
    error?.message ?? '',
    /^Cannot keep files in ".*": its state file is that of "shop\/web"; move the directory away$/,
  )
})

test('ensure() makes a directory again that somebody removed, with all its counts', async t => {
  const directory = captureDir(t)
  const folder = await create(directory, 1)
  folder.end('web-0', { facts: facts('web-0', 3, 9), active }, 'window')
  rmSync(join(directory, 'shop'), { recursive: true })
  await folder.look()
  t.deepEqual(folder.actualState().fileNames, [])
  await folder.ensure(directory, 20)
  t.is((await readState(folder.directory))?.rows[0]?.facts.packets, 3)
})

test('after a crash a copy of the directory has the same counts as the directory', async t => {
  const directory = captureDir(t)
  const folder = await create(directory, 1)
  const head = fileHeader({ ...header, format: 'pcap' })
  const one = record('pcap')
  const counts = { packets: 1, recordBytes: one.length, received: 1, dropped: 0 }
  const name = 'web-0_cali1.pcap'
  const file = { ...active, ...counts, name, bytes: head.length + one.length }
  const live = () => ({
    facts: { ...facts('web-0', 1, 0), bytes: one.length, endedAtMs: undefined } as never,
    active: file,
    readable: file,
    isMoving: false,
  })
  folder.begin('web-0', live, 1_000)
  await folder.save(10, false)
  // The file that was active then was rotated, another one too, and a third was written.
  for (const [at, records] of [
    ['-20260101T000000.000Z', 2],
    ['-20260101T000001.000Z', 3],
    ['', 4],
  ] as const)
    writeFileSync(
      join(folder.directory, `web-0_cali1${at}.pcap`),
      Buffer.concat([head, ...Array.from({ length: records }, () => one)]),
    )
  const copied = captureDir(t)
  cpSync(directory, copied, { recursive: true, preserveTimestamps: true })
  for (const captures of [directory, copied]) {
    const found = (await listFolders(captures)).found.get('shop/web')
    const adopted = found && (await CaptureFolder.adopt(found.directory, found.state, 'node-0'))
    t.deepEqual(adopted?.written(), { packets: 9, bytes: 9 * one.length }, captures)
  }
})

test('save() keeps the last row of an endpoint whose file is being rotated, and saves the others', async t => {
  const folder = await create(captureDir(t), 1)
  const packets = new Map([
    ['moving', 1],
    ['other', 1],
  ])
  const moving = new Set<string>()
  for (const name of packets.keys())
    folder.begin(
      name,
      () => ({
        facts: { ...facts(name, packets.get(name) ?? 0, 0), endedAtMs: undefined } as never,
        active: { ...active, name: `${name}_cali1.pcap` },
        readable: { name: `${name}_cali1.pcap`, bytes: 24 },
        isMoving: moving.has(name),
      }),
      1_000,
    )
  const saved = async () => {
    await folder.save(10, false)
    const rows = (await readState(folder.directory))?.rows ?? []
    return Object.fromEntries(rows.map(row => [row.facts.name, row.facts.packets]))
  }
  t.deepEqual(await saved(), { moving: 1, other: 1 })
  moving.add('moving')
  for (const name of packets.keys()) packets.set(name, 2)
  t.deepEqual(await saved(), { moving: 1, other: 2 })
  moving.clear()
  t.deepEqual(await saved(), { moving: 2, other: 2 })
})

test('a state file of 100,000 rows is adopted, and every row counts against the limits', async t => {
  const directory = captureDir(t)
  const folder = await create(directory, 1)
  const path = join(folder.directory, stateFileName)
  const rows = Array.from({ length: 100_000 }, (_, pod) => ({
    facts: facts(`p${pod}`, 2, pod),
    active: { ...active, name: `p${pod}_cali1.pcapng` },
  }))
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), rows }))
  const found = (await listFolders(directory)).found.get('shop/web')
  const adopted = found && (await CaptureFolder.adopt(found.directory, found.state, 'node-0'))
  t.is(adopted?.actualState().endpoints.size, 1_000)
  t.deepEqual(adopted?.written(), { packets: 200_000, bytes: 2_000_000 })
  t.is(adopted?.actualState().unreadable, undefined)
})

test('rows are bounded: the oldest that ended go, and still count against the limits', async t => {
  const directory = captureDir(t)
  const folder = await create(directory, 1)
  for (let pod = 0; pod < 1_010; pod++)
    folder.end(`p${pod}`, { facts: facts(`p${pod}`, 2, pod), active }, 'unmatched')
  const rows = folder.actualState().endpoints
  t.is(rows.size, 1_000)
  t.false(rows.has('p9'))
  t.true(rows.has('p10'))
  t.deepEqual(folder.written(), { packets: 2_020, bytes: 20_200 })
  await folder.save(2_000, false)
  const state = await readState(folder.directory)
  t.deepEqual(state?.goneRows, { packets: 20, bytes: 200 })
  const adopted = state && (await CaptureFolder.adopt(folder.directory, state, 'node-0'))
  t.deepEqual(adopted?.written(), { packets: 2_020, bytes: 20_200 })
})

test('continuation() goes on with the file that was to become the active one, and its counts', async t => {
  const folder = await create(captureDir(t), 1)
  const [path, next] = ['', '.next0'].map(end =>
    join(folder.directory, `${end && '.'}${active.name}${end}`),
  ) as [string, string]
  const start = fileHeader({ ...header, format: 'pcapng' })
  const one = record('pcapng')
  writeFileSync(path, Buffer.concat([start, one, one, one]))
  writeFileSync(next, Buffer.concat([start, one]))
  const now = { ...active, packets: 1, bytes: start.length + one.length }
  folder.end('web-0', { facts: facts('web-0', 4, 9), active: now }, 'unmatched')
  const { continues } = await folder.continuation('web-0', active.name, active.settings)
  t.like(continues, { packets: 1, bytes: now.bytes })
  t.is(readFileSync(path).length, now.bytes)
})
