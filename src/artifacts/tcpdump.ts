// Packets as text: one line each, as `tcpdump -n -tttt` prints it, in UTC, and the packet's bytes on the wire behind it. In: pcap
// records. tcpdump itself reads them from a pipe, without any privilege of this process: packets are hostile input.
// Refuses in words where there is no tcpdump, and where it does not print each packet.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { tcpdumpAsNobody } from './asNobody.ts'
import type { PcapRecord } from './records.ts'

type Process = ChildProcess & { readonly stdin: Writable; readonly stdout: Readable; readonly stderr: Readable }
type Expected = { readonly time: string; readonly bytes: number }

const feedBytes = 65_536
const complaintMax = 500

/** `header`: of a pcap file. The lines come without their end. */
export async function* textLines(header: Buffer, records: AsyncIterable<PcapRecord>): AsyncGenerator<string, void, undefined> {
  const tcpdump = await start()
  const complaint = complaintOf(tcpdump)
  const expected: Expected[] = []
  const fed = feed(tcpdump, header, records, expected)
  fed.catch(() => tcpdump.kill('SIGKILL')) // told below
  const ended = once(tcpdump, 'close')
  try {
    let line: string | undefined // of the packet before
    for await (const text of createInterface({ input: tcpdump.stdout, crlfDelay: 0 })) {
      const next = expected[0]
      if (next === undefined || !text.startsWith(`${next.time} `)) {
        line = continued(line, text)
        continue
      }
      if (line !== undefined) yield line
      expected.shift()
      line = `${text}, ${next.bytes} bytes`
    }
    await fed
    const [code] = await ended
    if (code !== 0 || expected.length > 0)
      throw new Error(`Cannot make text of the packets: tcpdump ended with ${code}: ${await complaint}`)
    if (line !== undefined) yield line
  } finally {
    tcpdump.kill('SIGKILL')
  }
}

// The few lines that tcpdump breaks become one again, with the bytes at its end; hex dumps of what it does not know are left out.
function continued(line: string | undefined, text: string): string | undefined {
  if (line === undefined || /^\s*0x[0-9a-f]{4}:/.test(text)) return line
  const [, before = line, bytes = ''] = /^(.*)(, \d+ bytes)$/.exec(line) ?? []
  return `${before} ${text.trim()}${bytes}`
}

async function start(): Promise<Process> {
  try {
    const env = { PATH: process.env.PATH, TZ: 'UTC0' }
    return (await tcpdumpAsNobody(['-n', '-tttt', '-r', '-'], { env, stdio: ['pipe', 'pipe', 'pipe'] })) as Process
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new Error('Cannot make text of the packets: found no tcpdump in PATH, expected it there; outputFormat pcap does without', {
        cause: error,
      })
    if (code === 'EPERM')
      throw new Error('Cannot make text of the packets: tcpdump is run as nobody, which takes the capabilities SETUID and SETGID', {
        cause: error,
      })
    throw error
  }
}

async function feed(tcpdump: Process, header: Buffer, records: AsyncIterable<PcapRecord>, expected: Expected[]): Promise<void> {
  const { stdin } = tcpdump
  stdin.on('error', () => {}) // it ended first: its exit says why
  const gone = once(tcpdump, 'close').then(() => false)
  let [parts, bytes] = [[header], header.length]
  const flush = async () => {
    const isFree = stdin.write(Buffer.concat(parts))
    ;[parts, bytes] = [[], 0]
    return (
      isFree ||
      Promise.race([
        once(stdin, 'drain').then(
          () => true,
          () => false,
        ),
        gone,
      ])
    )
  }
  for await (const { seconds, microseconds, original, bytes: record } of records) {
    expected.push({ time: timeOf(seconds, microseconds), bytes: original })
    parts.push(Buffer.from(record)) // what comes next takes its place
    bytes += record.length
    if (bytes >= feedBytes && !(await flush())) return
  }
  await flush()
  stdin.end()
}

function timeOf(seconds: number, microseconds: number): string {
  const [date, time] = new Date(seconds * 1_000).toISOString().split('T')
  return `${date} ${time?.slice(0, 8)}.${String(microseconds).padStart(6, '0')}`
}

async function complaintOf({ stderr }: Process): Promise<string> {
  let complaint = ''
  for await (const text of stderr) complaint = `${complaint}${text}`.slice(-complaintMax)
  return complaint.trim()
}
