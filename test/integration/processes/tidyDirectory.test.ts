// Order in the directory of files: what is compressed, what goes, what is left alone; and what is
// told of it.
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { ArtifactRetention } from '../../../src/artifacts/retention.ts'
import { tidyFiles } from '../../../src/artifacts/tidyDirectory.ts'
import type { ArtifactResult } from '../../../src/model/artifact.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { makeLogger } from '../../../src/runtime/log.ts'
import { until } from '../../support/until.ts'

const nowMs = Date.parse('2026-11-21T12:00:00Z')

function stage(t: ExecutionContext) {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-tidy-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const add = (name: string, ageMs: number) => {
    writeFileSync(join(directory, name), `of ${name}`)
    utimesSync(join(directory, name), (nowMs - ageMs) / 1_000, (nowMs - ageMs) / 1_000)
    return join(directory, name)
  }
  return { directory, add }
}

test('tidyFiles() compresses all but the newest, which keep their age', async t => {
  const { directory, add } = stage(t)
  for (const [index, name] of ['a', 'b', 'c'].entries())
    add(`${name}-20261121-10000${index}.${index === 1 ? 'txt' : 'pcap'}`, 3_000 - index)
  const moved = await tidyFiles(directory, 5, nowMs)
  t.deepEqual(readdirSync(directory).toSorted(), [
    'a-20261121-100000.pcap.gz',
    'b-20261121-100001.txt.gz',
    'c-20261121-100002.pcap',
  ])
  t.is(
    gunzipSync(readFileSync(join(directory, 'a-20261121-100000.pcap.gz'))).toString(),
    'of a-20261121-100000.pcap',
  )
  t.deepEqual(moved.map(({ from, to }) => to?.path === `${from}.gz`), [true, true]) // biome-ignore format: one line
  t.deepEqual(await tidyFiles(directory, 5, nowMs), [])
})

test('tidyFiles() keeps so many, the oldest go first, compressed or not', async t => {
  const { directory, add } = stage(t)
  for (let index = 0; index < 8; index++)
    add(`c${index}-20261121-10000${index}.pcap${index % 2 ? '.gz' : ''}`, 9_000 - index * 1_000)
  const moved = await tidyFiles(directory, 5, nowMs)
  t.deepEqual(moved.filter(({ to }) => !to).map(({ from }) => from.slice(directory.length + 1, directory.length + 3)), ['c2', 'c1', 'c0']) // biome-ignore format: one line
  t.is(readdirSync(directory).length, 5)
  await tidyFiles(directory, 1, nowMs)
  t.deepEqual(readdirSync(directory), ['c7-20261121-100007.pcap.gz'])
})

test('tidyFiles() leaves alone what is being written, what is not ours, and links', async t => {
  const { directory, add } = stage(t)
  const foreign = [
    'notes.txt',
    'x.pcap',
    'a-2026-10.pcap',
    '.a-20261121-100000.pcap.part',
    'a-20261121-100000.pcap.bak',
  ]
  for (const name of foreign) add(name, 5_000)
  symlinkSync('/etc/hostname', join(directory, 'link-20261121-100000.pcap'))
  t.deepEqual(await tidyFiles(directory, 1, nowMs), [])
  t.is(readdirSync(directory).length, foreign.length + 1)
})

test('tidyFiles() removes parts that a crash left an hour ago, and says nothing of a directory that is not there', async t => {
  const { directory, add } = stage(t)
  add('.a-20261121-100000.pcap.part', 3_700_000)
  await tidyFiles(directory, 5, nowMs)
  t.deepEqual(readdirSync(directory), [])
  t.deepEqual(await tidyFiles(join(directory, 'none'), 5, nowMs), [])
})

test('ArtifactRetention tells each capture what became of its file, also when somebody else removed it', async t => {
  const { directory, add } = stage(t)
  const paths = ['a-20261121-100000.pcap', 'b-20261121-100001.pcap', 'c-20261121-100002.pcap'].map(
    (name, index) => add(name, 9_000 - index),
  )
  const made = new Map(
    paths.map((path, index) => [
      `k${index}`,
      { atMs: 1, files: [{ path, bytes: 10 }] } as ArtifactResult,
    ]),
  )
  const facts = () =>
    [...made].map(([key, each]) => ({
      key,
      uid: key,
      artifact: each,
      fileNames: [],
      fileBytes: 0,
      endpoints: new Map(),
    }))
  await using keeper = new ArtifactRetention({
    captures: facts,
    setArtifactResult: async (key, _, each) => void made.set(key, each),
    settings: () => ({ ...defaultSettings, packetCapturesDir: directory, maxCaptureFiles: 2 }),
    clock: systemClock,
    log: makeLogger('silent', '/dev/null'),
    onChange: () => {},
  })
  await until(
    'the files to be in order',
    () => made.get('k1')?.files[0]?.path.endsWith('.gz') === true,
  )
  t.deepEqual(made.get('k0')?.files, [])
  t.is(made.get('k2')?.files[0]?.path, paths[2])
  t.false(existsSync(paths[0] ?? ''))
  rmSync(paths[2] ?? '')
  keeper.requestTurn()
  await until('the removal to be told', () => made.get('k2')?.files.length === 0)
})
