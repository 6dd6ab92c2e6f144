// When a node's report is written, against a real API server: the clock is moved by hand, the
// requests are real.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Kube } from '../../../src/kube/request.ts'
import { ReportWriter } from '../../../src/publish/reportWriter.ts'
import { makeLogger } from '../../../src/runtime/log.ts'
import { HandClock } from '../../support/handClock.ts'
import { kubeconfig } from '../../support/kube/credentials.ts'
import { kubeOf } from '../../support/kube/kube.ts'
import { useReports } from '../../support/kube/reports.ts'
import { node } from '../../support/worlds/documents.ts'
import { budgets, identity, nodeReport, type Told, told } from '../../support/worlds/nodeReports.ts'

const server = useReports()

class Bench {
  readonly clock = new HandClock(Date.now())
  readonly #logFile = join(server().api.directory, `writer-${randomUUID()}.log`)
  readonly writer: ReportWriter

  constructor(t: ExecutionContext, kube: Kube = server().kube) {
    const log = makeLogger('info', this.#logFile)
    const parts = {
      kube: this.clock.through(kube),
      clock: this.clock,
      log,
      node,
      identity: () => identity,
      budgets: () => budgets,
      clockOffsetMs: () => undefined,
    }
    this.writer = new ReportWriter({ ...parts, random: () => 1 })
    t.teardown(() => this.writer[Symbol.asyncDispose]())
  }

  publish(...all: readonly Told[]): Promise<void> {
    return this.writer.publish(nodeReport(all))
  }

  get log(): string[] {
    const lines = readFileSync(this.#logFile, 'utf8').trim().split('\n')
    return lines.map(line => (JSON.parse(line) as { msg: string }).msg)
  }

  get timesMs(): number[] {
    return this.clock.sent.map(({ atMs }) => atMs)
  }
}

const packets = (count: number): Told => told('web', { packets: count })
const storedPackets = async () =>
  (await server().stored())?.report.captures.map(({ file }) => file.packets)

test.serial('publish() is written within a second, and so is a change of state', async t => {
  const { clock, writer } = new Bench(t)
  await writer.publish(nodeReport([packets(1)]))
  await clock.pass(1_000)
  t.deepEqual([clock.sent.map(({ status }) => status), await storedPackets()], [[201], [1]])
  await clock.pass(2_000)
  await writer.publish(nodeReport([told('web', { state: 'Finished' })]))
  await clock.pass(1_000)
  t.is((await server().stored())?.report.captures[0]?.file.state, 'Finished')
  t.is(clock.sent.length, 2)
})

test.serial(
  'publish() that comes again and again makes one write of counters in ten seconds',
  async t => {
    const bench = new Bench(t)
    await bench.publish(packets(1))
    await bench.clock.pass(1_000)
    for (let count = 2; count <= 60; count++) {
      await bench.publish(packets(count))
      await bench.clock.pass(500)
    }
    const gaps = bench.timesMs.slice(1).map((ms, index) => ms - (bench.timesMs[index] ?? 0))
    t.true(gaps.length >= 2 && gaps.every(ms => ms >= 10_000 && ms <= 11_000), `${gaps}`)
  },
)

test.serial(
  'publish() that flaps is written four times a second at most, the last one last',
  async t => {
    const bench = new Bench(t)
    for (let turn = 0; turn < 100; turn++) {
      await bench.publish(
        told('web', {
          state: turn % 2 === 0 ? 'WaitingForTraffic' : 'Error',
          message: `turn ${turn}`,
        }),
      )
      await bench.clock.pass(50)
    }
    await bench.clock.pass(1_000)
    t.true(bench.clock.sent.length <= 4 * 6, `${bench.clock.sent.length} writes`)
    t.is((await server().stored())?.report.captures[0]?.file.message, 'turn 99')
  },
)

test.serial('publish() of the same again is no write but a sign of life each minute', async t => {
  const bench = new Bench(t)
  for (let second = 0; second < 190; second++) {
    await bench.publish(packets(1))
    await bench.clock.pass(1_000)
  }
  t.is(bench.clock.sent.length, 4)
  for (const [index, ms] of bench.timesMs.entries())
    t.true(Math.abs(ms - index * 60_000) <= 2_000, `${bench.timesMs}`)
})

test.serial('a report that somebody deleted is written again within seconds', async t => {
  const bench = new Bench(t)
  await bench.publish(packets(3))
  await bench.clock.pass(1_000)
  await server().api.kubectl('delete', 'nodecapturereport', node)
  await bench.clock.pass(11_000)
  t.deepEqual([await storedPackets(), bench.clock.sent.at(-1)?.status], [[3], 201])
})

test.serial('publish() says nothing of a world that is not complete', async t => {
  const bench = new Bench(t)
  await bench.publish(packets(7))
  await bench.clock.pass(1_000)
  await bench.writer.publish(nodeReport([], { isSynced: false }))
  await bench.clock.pass(11_000)
  await bench.writer[Symbol.asyncDispose]()
  t.deepEqual([await storedPackets(), bench.clock.sent.length], [[7], 1])
})

// Characters that YAML refuses, which an API server reads reports as: a user can write them into a
// selector.
test.serial('publish() takes any text that a user may have written', async t => {
  const bench = new Bench(t)
  const ranges = [
    [0, 0xa1],
    [0x2028, 0x202a],
    [0xd83d, 0xd83e],
    [0xfeff, 0xff00],
    [0xfffd, 0x10000],
  ] as const
  const characters = ranges.flatMap(([from, to]) =>
    Array.from({ length: to - from }, (_, index) => String.fromCharCode(from + index)),
  )
  const message = `😀 ${characters.map(character => `<${character}>`).join('')}`
  await bench.publish(told('web', { message, problems: [{ reason: 'TapFailed', message }] }))
  await bench.clock.pass(1_000)
  t.deepEqual(
    bench.clock.sent.map(({ status }) => status),
    [200],
  )
  t.is((await server().stored())?.report.captures[0]?.file.message, message.toWellFormed())
})

test.serial('publish() goes on when the clock was set back a day', async t => {
  const bench = new Bench(t)
  await bench.publish(packets(1))
  await bench.clock.pass(1_000)
  bench.clock.set(-86_400_000)
  await bench.publish(packets(2))
  await bench.clock.pass(10_500)
  t.deepEqual(await storedPackets(), [2])
})

test.serial(
  'publish() waits while the API server is killed, tells of it once, and writes the newest when it is back',
  async t => {
    const bench = new Bench(t)
    await bench.publish(packets(1))
    await bench.clock.pass(1_000)
    await server().api.interrupt('SIGKILL')
    for (let count = 2; count <= 9; count++) {
      await bench.publish(told('web', { packets: count, message: `${count}` }))
      await bench.clock.pass(15_000)
    }
    const tries = bench.clock.sent.length - 1
    t.true(tries >= 5 && tries <= 9, `${tries} tries in two minutes`)
    await server().api.resume()
    await bench.clock.pass(60_000)
    t.deepEqual(await storedPackets(), [9])
    t.deepEqual(bench.log, ['report not written, tried again', 'report written again'])
  },
)

test.serial(
  'publish() is tried again where it is forbidden, and written once it is allowed',
  async t => {
    const { api } = server()
    await api.kubectl('create', 'serviceaccount', 'agent')
    const token = (await api.kubectl('create', 'token', 'agent')).trim()
    const file = join(api.directory, 'agent.kubeconfig')
    writeFileSync(file, kubeconfig(api.url, api.caFile, token))
    const bench = new Bench(t, kubeOf(file))
    await bench.publish(packets(21))
    await bench.clock.pass(60_000)
    t.deepEqual(new Set(bench.clock.sent.map(({ status }) => status)), new Set([403]))
    await api.kubectl(
      'create',
      'clusterrole',
      'reporter',
      '--verb=create,patch,get',
      '--resource=nodecapturereports.selcap.dev',
    )
    await api.kubectl(
      'create',
      'clusterrolebinding',
      'reporter',
      '--clusterrole=reporter',
      '--serviceaccount=default:agent',
    )
    for (let minute = 0; minute < 5 && bench.clock.sent.at(-1)?.status === 403; minute++)
      await bench.clock.pass(60_000)
    t.deepEqual([bench.clock.sent.at(-1)?.status, await storedPackets()], [200, [21]])
    t.deepEqual(bench.log, ['report not written, tried again', 'report written again'])
  },
)

test.serial(
  'asyncDispose() writes the last report, twice is fine, and nothing is written afterwards',
  async t => {
    const bench = new Bench(t)
    await bench.publish(packets(30))
    await bench.clock.pass(1_000)
    await bench.publish(packets(31))
    await bench.writer[Symbol.asyncDispose]()
    t.deepEqual(await storedPackets(), [31])
    await bench.writer[Symbol.asyncDispose]()
    await bench.clock.pass(120_000)
    t.is(bench.clock.sent.length, 2)
  },
)

test.serial('asyncDispose() writes a report that had no time to be written', async t => {
  const bench = new Bench(t)
  await bench.publish(packets(40))
  await bench.writer[Symbol.asyncDispose]()
  t.deepEqual(await storedPackets(), [40])
})

test.serial('asyncDispose() ends when the API server is away', async t => {
  await server().api.interrupt('SIGKILL')
  const bench = new Bench(t)
  await bench.publish(packets(50))
  await bench.writer[Symbol.asyncDispose]()
  await server().api.resume()
  t.deepEqual(await storedPackets(), [40])
})

test.serial(
  'asyncDispose() ends when something takes the connection and never answers',
  async t => {
    const listener = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    t.teardown(() => listener.close())
    const address = listener.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const file = join(server().api.directory, 'nobody.kubeconfig')
    writeFileSync(file, kubeconfig(`https://127.0.0.1:${port}`, server().api.caFile, 'none'))
    const connected = once(listener, 'connection')
    const clock = new HandClock(Date.now())
    const parts = {
      kube: kubeOf(file),
      log: makeLogger('silent', '/dev/null'),
      node,
      identity: () => identity,
      budgets: () => budgets,
      clockOffsetMs: () => undefined,
    }
    const writer = new ReportWriter({ ...parts, clock })
    await writer.publish(nodeReport([packets(60)]))
    await clock.pass(500)
    await connected // a write is under way
    await writer[Symbol.asyncDispose]()
    t.pass()
  },
)
