// With streams in memory; test/integration/processes/kubectlStream.test.ts has the whole command.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test from 'ava'
import { followStream, type Reopened } from '../../../../src/kubectl/client/followStream.ts'
import { CommandFailure, ExpectedError } from '../../../../src/model/errors.ts'
import { noteBlock } from '../../../../src/pcap/block.ts'
import { sectionOf } from '../../../../src/pcap/fileHeader.ts'

const section = sectionOf('test')
const answer = (parts: Iterable<Buffer> | AsyncIterable<Buffer>) =>
  Object.assign(Readable.from(parts), { headers: {} }) as unknown as IncomingMessage

async function* broken(): AsyncGenerator<Buffer> {
  yield section
  throw new ExpectedError('cut')
}

/** A clock that sleeps for no time, and adds up what it was asked for. */
async function follow(opened: readonly (Reopened | ExpectedError)[]) {
  let nowMs = 0
  const said: string[] = []
  const open = async () => {
    const next = opened[said.length + tries++]
    if (next === undefined || next instanceof Error) throw next ?? new ExpectedError('none')
    return next
  }
  let tries = 0
  const sleepUntil = async (atMs: number) => {
    nowMs = atMs
  }
  const clock = { now: () => nowMs, sleepUntil }
  const packets = followStream(answer(broken()), {
    open,
    clock,
    signal: new AbortController().signal,
    reconnectForMs: 30_000,
    say: line => void said.push(line),
  })
  const bytes: Buffer[] = []
  const failure = await (async () => {
    for await (const each of packets) bytes.push(each)
  })().catch((error: Error) => error)
  return { bytes, said, failure, nowMs }
}

test('a capture that is over meanwhile ends the stream, and what is missing is told', async t => {
  const { bytes, said, failure } = await follow([{ isOver: true }])
  t.deepEqual([bytes, failure], [[section], undefined])
  t.is(said.length, 1)
})

test('it is tried again until the connection is there, later and later', async t => {
  const later = new ExpectedError('busy')
  const { bytes, said, failure, nowMs } = await follow([later, later, later, { response: answer([section]) }]) // biome-ignore format: one line
  t.is(failure, undefined)
  t.is(nowMs, 1_000 + 2_000 + 4_000 + 4_000)
  const missing = 'packets from 1970-01-01T00:00:00.000Z to 1970-01-01T00:00:11.000Z are missing'
  t.deepEqual(said, [`The stream broke off (cut): ${missing}`])
  t.deepEqual(bytes, [section, noteBlock(missing)])
})

test('a refusal ends it at once, silence after the given time', async t => {
  const refused = new CommandFailure('notAllowed', 'may not')
  t.regex(
    (await follow([{ refused }])).failure?.message ?? '',
    /^Cannot stream any longer: may not$/,
  )
  const { failure, nowMs } = await follow([])
  t.is(failure?.message, 'Cannot stream any longer: none')
  t.true(nowMs >= 30_000 && nowMs < 40_000)
})
