import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import type { PacketCapture } from '../../../src/model/world.ts'
import { type CaptureManifest, StandaloneMeta } from '../../../src/source/standaloneMeta.ts'

const nowMs = Date.parse('2026-02-03T04:05:06.789Z')

function written(
  spec: PacketCaptureSpec,
  metadata: Partial<CaptureManifest['metadata']> = {},
): CaptureManifest {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name: 'a', namespace: 'b', ...metadata },
    spec,
  }
}

function file(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-identity-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return join(directory, 'identities.json')
}

async function open(
  t: ExecutionContext,
  path = file(t),
  published: readonly PacketCapture[] = [],
): Promise<StandaloneMeta> {
  const opened = await StandaloneMeta.open(path, published)
  t.teardown(() => opened.stored())
  return opened
}

test('StandaloneMeta.assign() gives uid, generation 1 and the creation time in whole seconds', async t => {
  const [capture] = (await open(t)).assign([written({})], nowMs)
  t.regex(capture?.metadata.uid ?? '', /^[0-9a-f-]{36}$/)
  t.is(capture?.metadata.generation, 1)
  t.is(capture?.metadata.creationTimestamp, '2026-02-03T04:05:06Z')
})

test('StandaloneMeta.assign() raises the generation when the spec changes, and only then', async t => {
  const identities = await open(t)
  const generations = [
    written({}),
    written({}),
    written({ snapLength: 96 }),
    written({ snapLength: 96 }, { labels: { x: 'y' } }),
  ].map(capture => identities.assign([capture], nowMs)[0]?.metadata)
  t.deepEqual(
    generations.map(each => each?.generation),
    [1, 1, 2, 2],
  )
  t.is(new Set(generations.map(each => each?.uid)).size, 1)
})

test('StandaloneMeta.assign() gives a new uid to a capture that was gone in between', async t => {
  const identities = await open(t)
  const before = identities.assign([written({})], nowMs)[0]?.metadata.uid
  identities.assign([], nowMs)
  t.not(identities.assign([written({})], nowMs)[0]?.metadata.uid, before)
})

test('StandaloneMeta.assign() remembers across a restart', async t => {
  const path = file(t)
  const identities = await open(t, path)
  const before = identities.assign([written({})], nowMs)
  t.is(await identities.stored(), undefined)
  t.deepEqual((await open(t, path)).assign([written({})], nowMs + 1e6), before)
})

test('StandaloneMeta.assign() takes a uid that is given, and another one is another capture', async t => {
  const identities = await open(t)
  t.is(identities.assign([written({}, { uid: 'one' })], nowMs)[0]?.metadata.uid, 'one')
  const [second] = identities.assign([written({ snapLength: 5 }, { uid: 'two' })], nowMs)
  t.is(second?.metadata.uid, 'two')
  t.is(second?.metadata.generation, 1)
})

test('StandaloneMeta.expire() keeps the capture away, also after a restart, until its spec changes', async t => {
  const path = file(t)
  const identities = await open(t, path)
  const before = identities.assign([written({})], nowMs)[0]?.metadata.uid
  identities.expire('b/a')
  t.deepEqual(identities.assign([written({})], nowMs), [])
  await identities.stored()
  const restarted = await open(t, path)
  t.deepEqual(restarted.assign([written({})], nowMs), [])
  t.not(restarted.assign([written({ snapLength: 1 })], nowMs)[0]?.metadata.uid, before)
})

test('StandaloneMeta.assign() goes on when nothing can be stored, says why, and stores it at the next time it can', async t => {
  const path = file(t)
  const identities = await open(t, path)
  identities.assign([], nowMs)
  t.is(await identities.stored(), undefined)
  mkdirSync(`${path}.tmp`) // in the way of what is written there
  const before = identities.assign([written({})], nowMs)
  t.regex((await identities.stored()) ?? '', /^EISDIR/)
  t.deepEqual(identities.assign([written({})], nowMs), before)
  rmdirSync(`${path}.tmp`)
  t.deepEqual(identities.assign([written({})], nowMs), before)
  t.is(await identities.stored(), undefined)
  t.deepEqual((await open(t, path)).assign([written({})], nowMs + 1e6), before)
})

for (const [what, damage, reason] of [
  ['is no JSON', path => writeFileSync(path, '[["b/a",{"uid"'), /expected JSON/],
  ['is another file', path => writeFileSync(path, '{"b":1}'), /expected identities/],
  ['is a directory', path => mkdirSync(path), /expected a file/],
] satisfies readonly (readonly [string, (path: string) => void, RegExp])[])
  test(`StandaloneMeta.open() keeps a file aside that ${what}, and takes the published captures for it`, async t => {
    const path = file(t)
    const [published] = (await open(t)).assign([written({ snapLength: 96, selector: 'x' })], nowMs)
    if (!published) throw new Error('nothing was assigned')
    damage(path)
    const identities = await open(t, path, [published])
    t.regex(identities.unreadable ?? '', reason)
    const [before] = identities.assign([written({ selector: 'x', snapLength: 96 })], nowMs + 1e6)
    t.deepEqual(before?.metadata, published.metadata)
    t.is(await identities.stored(), undefined)
    t.is(readdirSync(dirname(path)).filter(name => name.includes('unreadable')).length, 1)
    const again = await open(t, path)
    t.is(again.unreadable, undefined)
    t.deepEqual(again.assign([written({ selector: 'x', snapLength: 96 })], nowMs), [before])
    t.is(again.assign([written({}, { uid: 'given' })], nowMs)[0]?.metadata.uid, 'given')
  })
