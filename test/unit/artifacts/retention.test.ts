// Which single files stay on a node, which are compressed, and what a capture's result says of them
// then.
import { readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { ArtifactRetention } from '../../../src/artifacts/retention.ts'
import type { ActualCapture } from '../../../src/model/actualState.ts'
import type { ArtifactResult } from '../../../src/model/artifact.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import type { Clock } from '../../../src/runtime/clock.ts'
import type { Logger } from '../../../src/runtime/log.ts'
import { folder } from '../../support/captureDirectory.ts'

const nameOf = (second: number) => `web-20260101-00000${second}.pcap`

function add(directory: string, second: number): void {
  const path = join(directory, nameOf(second))
  writeFileSync(path, `packets of ${second}`)
  utimesSync(path, second, second)
}

/**
 * A retention whose turns a test begins: turn() waits for the end of the first one, nextTurn() for
 * that of one more.
 */
function retention(
  t: ExecutionContext,
  directory: string,
  maxCaptureFiles: number,
  artifact?: ArtifactResult,
) {
  let asleep = Promise.withResolvers<number>()
  let wake = (): void => undefined
  const clock: Clock = {
    now: () => 10_000,
    sleepUntil: (atMs, signal) =>
      new Promise(resolve => {
        wake = resolve
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
        asleep.resolve(atMs)
      }),
  }
  const results: ArtifactResult[] = []
  let changes = 0
  const running = new ArtifactRetention({
    captures: () => [
      { key: 'web', uid: 'u', artifact: results.at(-1) ?? artifact } as ActualCapture,
    ],
    setArtifactResult: async (_, __, result) => void results.push(result),
    settings: () => ({ ...defaultSettings, packetCapturesDir: directory, maxCaptureFiles }),
    clock,
    log: {
      info: () => undefined,
      warn: (fields: object) => t.fail(JSON.stringify(fields)),
    } as unknown as Logger,
    onChange: () => void changes++,
  })
  const turn = async () => {
    const untilMs = await asleep.promise
    asleep = Promise.withResolvers()
    return untilMs
  }
  const nextTurn = () => {
    wake()
    return turn()
  }
  return { turn, nextTurn, results, changes: () => changes, running }
}

test('ArtifactRetention keeps the newest files, so many as maxCaptureFiles, and compresses all but the newest', async t => {
  const directory = folder(t)
  for (const second of [1, 2, 3, 4]) add(directory, second)
  writeFileSync(join(directory, 'notes.txt'), 'of somebody')
  const { turn, running } = retention(t, directory, 3)
  await turn()
  await running[Symbol.asyncDispose]()
  t.deepEqual(readdirSync(directory), [
    'notes.txt',
    `${nameOf(2)}.gz`,
    `${nameOf(3)}.gz`,
    nameOf(4),
  ])
  t.is(`${gunzipSync(readFileSync(join(directory, `${nameOf(2)}.gz`)))}`, 'packets of 2')
})

test('ArtifactRetention has a turn every minute, which counts files that came meanwhile', async t => {
  const directory = folder(t)
  add(directory, 1)
  const { turn, nextTurn, running } = retention(t, directory, 2)
  t.is(await turn(), 10_000 + 60_000)
  t.deepEqual(readdirSync(directory), [nameOf(1)])
  add(directory, 2)
  add(directory, 3)
  await nextTurn()
  t.deepEqual(readdirSync(directory), [`${nameOf(2)}.gz`, nameOf(3)])
  await running[Symbol.asyncDispose]()
})

test('ArtifactRetention updates the result of a capture whose files were compressed or deleted, and of no other', async t => {
  const directory = folder(t)
  for (const second of [1, 2, 3]) add(directory, second)
  const files = [
    ...[1, 2].map(second => ({ path: join(directory, nameOf(second)), bytes: 12 })),
    { path: '/elsewhere/a.pcap', bytes: 5 },
  ]
  const { turn, nextTurn, results, changes, running } = retention(t, directory, 2, {
    atMs: 1,
    files,
  })
  await turn()
  const path = join(directory, `${nameOf(2)}.gz`)
  t.deepEqual(results, [
    {
      atMs: 1,
      files: [
        { path, bytes: readFileSync(path).length },
        { path: '/elsewhere/a.pcap', bytes: 5 },
      ],
    },
  ])
  t.is(changes(), 1)
  await nextTurn()
  t.is(changes(), 1, 'nothing moved since')
  await running[Symbol.asyncDispose]()
})

test('ArtifactRetention keeps the result of a capture while the directory is away, or a file in its place', async t => {
  const directory = folder(t)
  add(directory, 1)
  const files = [{ path: join(directory, nameOf(1)), bytes: 12 }]
  renameSync(directory, `${directory}-away`)
  t.teardown(() => rmSync(`${directory}-away`, { recursive: true, force: true }))
  const { turn, nextTurn, results, running } = retention(t, directory, 2, { atMs: 1, files })
  await turn()
  writeFileSync(directory, 'a file')
  await nextTurn()
  rmSync(directory)
  renameSync(`${directory}-away`, directory)
  await nextTurn()
  t.deepEqual(results, [])
  await running[Symbol.asyncDispose]()
})
