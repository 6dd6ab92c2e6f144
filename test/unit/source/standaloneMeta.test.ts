import { mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
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

test('StandaloneMeta.assign() gives uid, generation 1 and the creation time in whole seconds', t => {
  const [capture] = new StandaloneMeta(file(t)).assign([written({})], nowMs)
  t.regex(capture?.metadata.uid ?? '', /^[0-9a-f-]{36}$/)
  t.is(capture?.metadata.generation, 1)
  t.is(capture?.metadata.creationTimestamp, '2026-02-03T04:05:06Z')
})

test('StandaloneMeta.assign() raises the generation when the spec changes, and only then', t => {
  const identities = new StandaloneMeta(file(t))
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

test('StandaloneMeta.assign() gives a new uid to a capture that was gone in between', t => {
  const identities = new StandaloneMeta(file(t))
  const before = identities.assign([written({})], nowMs)[0]?.metadata.uid
  identities.assign([], nowMs)
  t.not(identities.assign([written({})], nowMs)[0]?.metadata.uid, before)
})

test('StandaloneMeta.assign() remembers across a restart', t => {
  const path = file(t)
  const before = new StandaloneMeta(path).assign([written({})], nowMs)
  t.deepEqual(new StandaloneMeta(path).assign([written({})], nowMs + 1e6), before)
})

test('StandaloneMeta.assign() takes a uid that is given, and another one is another capture', t => {
  const identities = new StandaloneMeta(file(t))
  t.is(identities.assign([written({}, { uid: 'one' })], nowMs)[0]?.metadata.uid, 'one')
  const [second] = identities.assign([written({ snapLength: 5 }, { uid: 'two' })], nowMs)
  t.is(second?.metadata.uid, 'two')
  t.is(second?.metadata.generation, 1)
})

test('StandaloneMeta.expire() keeps the capture away, also after a restart, until its spec changes', t => {
  const path = file(t)
  const identities = new StandaloneMeta(path)
  const before = identities.assign([written({})], nowMs)[0]?.metadata.uid
  identities.expire('b/a')
  t.deepEqual(identities.assign([written({})], nowMs), [])
  const restarted = new StandaloneMeta(path)
  t.deepEqual(restarted.assign([written({})], nowMs), [])
  t.not(restarted.assign([written({ snapLength: 1 })], nowMs)[0]?.metadata.uid, before)
})

test('StandaloneMeta.assign() goes on when nothing can be stored, says why, and stores it at the next time it can', t => {
  const path = file(t)
  const identities = new StandaloneMeta(path)
  identities.assign([], nowMs)
  t.is(identities.unstored, undefined)
  mkdirSync(`${path}.tmp`) // in the way of what is written there
  const before = identities.assign([written({})], nowMs)
  t.regex(identities.unstored ?? '', /^EISDIR/)
  t.deepEqual(identities.assign([written({})], nowMs), before)
  rmdirSync(`${path}.tmp`)
  t.deepEqual(identities.assign([written({})], nowMs), before)
  t.is(identities.unstored, undefined)
  t.deepEqual(new StandaloneMeta(path).assign([written({})], nowMs + 1e6), before)
})

test('new StandaloneMeta() refuses a file that is not its own', t => {
  const path = file(t)
  writeFileSync(path, 'not JSON')
  t.throws(() => new StandaloneMeta(path), {
    message: /^Cannot read identities from ".*": expected what an earlier run wrote there/,
  })
})
