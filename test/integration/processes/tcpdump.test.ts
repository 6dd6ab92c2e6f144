// Text: line by line what the real tcpdump prints of the same file, and the bytes of each packet.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { textLines } from '../../../src/artifacts/text/tcpdump.ts'
import { recordsInOrder } from '../../../src/pcap/orderedRecords.ts'
import { ethernet, ipv4, numbered, udp } from '../../support/pcap/frames.ts'
import { type Packet, pcapFile } from '../../support/pcap/pcap.ts'

const header = pcapFile([])

async function save(t: ExecutionContext, packets: readonly Packet[]): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'selcap-text-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'a.pcap'), pcapFile(packets))
  return join(directory, 'a.pcap')
}

async function linesOf(path: string): Promise<string[]> {
  const lines: string[] = []
  for await (const line of textLines(header, recordsInOrder([path]))) lines.push(line)
  return lines
}

const datagram = (number: number) =>
  ethernet({ type: 0x0800, body: ipv4({ protocol: 17, body: udp(numbered(number)) }) })
const at = (index: number, data: Buffer, original = data.length): Packet => ({
  atUs: 1_800_000_000_000_000 + index * 7,
  original,
  data,
})

test('textLines() prints what tcpdump prints, then the bytes', async t => {
  const tcp = Buffer.alloc(20)
  tcp.writeUInt16BE(40_000, 0)
  tcp.writeUInt16BE(80, 2)
  tcp[12] = 0x50
  tcp[13] = 2
  const packets = [
    at(0, datagram(1)),
    at(1, ethernet({ type: 0x0800, body: ipv4({ protocol: 6, body: tcp }) })),
    at(
      2,
      ethernet({
        type: 0x0800,
        body: ipv4({ protocol: 1, body: Buffer.from([8, 0, 0, 0, 0, 1, 0, 2, 9, 9]) }),
      }),
    ),
    at(3, datagram(4).subarray(0, 30), 74),
  ]
  const path = await save(t, packets)
  const printed = execFileSync('tcpdump', ['-n', '-tttt', '-r', path], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
    stdio: 'pipe',
  })
  const wanted = printed.trimEnd().split('\n')
  t.is(wanted.length, packets.length)
  t.deepEqual(await linesOf(path), wanted.map((line, index) => `${line}, ${packets[index]?.original} bytes`)) // biome-ignore format: one line
  t.regex(wanted[1] ?? '', /^2027-01-15 08:00:00\.000007 IP \S+\.40000 > \S+\.80: Flags \[S\]/)
})

test('textLines() gives one line a packet, whatever tcpdump makes of it', async t => {
  const unknown = ethernet({ type: 0x88b5, body: Buffer.alloc(60, 7) }) // printed as a dump of several lines
  const packets = [
    at(0, unknown),
    at(1, datagram(1)),
    at(2, unknown),
    at(3, Buffer.alloc(6)),
    at(3, datagram(2)),
  ]
  const lines = await linesOf(await save(t, packets))
  t.is(lines.length, packets.length)
  t.true(
    lines.every((line, index) => line.endsWith(`, ${packets[index]?.original} bytes`)),
    lines.join('\n'),
  )
  t.true(lines.every(line => !line.includes('0x0000:')))
})

test('textLines() prints thousands of packets in order, and nothing of none', async t => {
  const packets = Array.from({ length: 20_000 }, (_, index) => at(index, datagram(index)))
  const lines = await linesOf(await save(t, packets))
  t.is(lines.length, packets.length)
  t.deepEqual(lines, lines.toSorted())
  t.deepEqual(await linesOf(await save(t, [])), [])
})

test('textLines() can be left early', async t => {
  const path = await save(
    t,
    Array.from({ length: 20_000 }, (_, index) => at(index, datagram(index))),
  )
  for await (const line of textLines(header, recordsInOrder([path]))) {
    t.regex(line, / bytes$/)
    break
  }
})

test.serial('textLines() says what to do where there is no tcpdump', async t => {
  const path = await save(t, [at(0, datagram(1))])
  const { PATH } = process.env
  process.env.PATH = '/nowhere'
  t.teardown(() => {
    process.env.PATH = PATH
  })
  await t.throwsAsync(linesOf(path), {
    message: /found no tcpdump in PATH, .*outputFormat pcap does without/,
  })
})

const canBecomeNobody =
  process.getuid?.() === 0 &&
  /^\s*0\s+0\s+4294967295$/m.test(readFileSync('/proc/self/uid_map', 'utf8'))
const privilegeTest = canBecomeNobody ? test.serial : test.serial.skip
privilegeTest(
  `tcpdump runs as nobody and has no capability${canBecomeNobody ? '' : ' (needs root)'}`,
  async t => {
    const path = await save(
      t,
      Array.from({ length: 20_000 }, (_, index) => at(index, datagram(index))),
    )
    for await (const _ of textLines(header, recordsInOrder([path]))) {
      const children = readdirSync('/proc/self/task').flatMap(id =>
        readFileSync(`/proc/self/task/${id}/children`, 'utf8').trim().split(' '),
      )
      // Tests in other threads of this process have a tcpdump of their own: this one reads its input.
      const ours = children
        .filter(Boolean)
        .find(pid =>
          readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('tcpdump\0-n\0-tttt\0-r\0-\0'),
        )
      const status = readFileSync(`/proc/${ours}/status`, 'utf8')
      t.regex(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
      for (const set of ['Prm', 'Eff', 'Amb']) t.regex(status, new RegExp(`^Cap${set}:\\t0+$`, 'm'))
      break
    }
  },
)
