// Records of several files in one order: what was written in plain code is what comes, by time.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { recordsInOrder } from '../../../src/pcap/orderedRecords.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { type Packet, pcapFile } from '../../support/pcap/pcap.ts'
import { runs } from '../../support/runs.ts'

async function save(scope: Scope, files: readonly Buffer[]): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'selcap-records-'))
  scope.teardown(() => rm(directory, { recursive: true }))
  return Promise.all(
    files.map(async (bytes, index) => {
      const path = join(directory, `${index}.pcap`)
      await writeFile(path, bytes)
      return path
    }),
  )
}

async function all(paths: readonly string[]): Promise<Packet[]> {
  const packets: Packet[] = []
  for await (const { seconds, microseconds, original, bytes } of recordsInOrder(paths))
    packets.push({
      atUs: seconds * 1_000_000 + microseconds,
      original,
      data: Buffer.from(bytes.subarray(16)),
    })
  return packets
}

const packet = fc.record({
  atUs: fc.integer({ min: 0, max: 5_000_000 }),
  size: fc.integer({ min: 1, max: 70_000 }),
})

test('recordsInOrder() gives every packet of every file once, by time', async t => {
  const property = fc.asyncProperty(
    fc.array(fc.array(packet, { maxLength: 12 }), { maxLength: 5 }),
    async drawn => {
      const files = drawn.map((packets, file) =>
        packets
          .toSorted((a, b) => a.atUs - b.atUs)
          .map(({ atUs, size }, index) => ({
            atUs,
            original: size + 7,
            data: Buffer.alloc(size, (file * 31 + index) % 251),
          })),
      )
      const found = await all(await save(t, files.map(pcapFile)))
      t.true(found.every(({ atUs }, index) => index === 0 || (found[index - 1]?.atUs ?? 0) <= atUs))
      const keyOf = ({ atUs, original, data }: Packet) =>
        `${atUs} ${original} ${data.toString('base64')}`
      t.deepEqual(found.map(keyOf).toSorted(), files.flat().map(keyOf).toSorted())
    },
  )
  await fc.assert(property, { numRuns: runs(60) })
})

test('recordsInOrder() keeps the order within a file, also where it is not by time', async t => {
  const times = [5, 3, 9]
  const paths = await save(t, [
    pcapFile(times.map(atUs => ({ atUs, original: 60, data: Buffer.alloc(60, atUs) }))),
  ])
  t.deepEqual((await all(paths)).map(({ atUs }) => atUs), times) // biome-ignore format: one line
})

test('recordsInOrder() ends a torn file at its last whole record, and goes on with the others', async t => {
  const one = { atUs: 1, original: 60, data: Buffer.alloc(60, 1) }
  const torn = pcapFile([one, { ...one, atUs: 2 }]).subarray(0, -3)
  const paths = await save(t, [
    torn,
    pcapFile([{ ...one, atUs: 3 }]),
    pcapFile([]),
    Buffer.alloc(0),
  ])
  t.deepEqual((await all(paths)).map(({ atUs }) => atUs), [1, 3]) // biome-ignore format: one line
})
