// Packets as text: one line each, as `tcpdump -n -tttt` prints it in UTC, followed by the packet's
// length. In: pcap records. Out: lines. tcpdump reads the records from a pipe, without this
// process's rights, because packets are hostile input. Refuses if there is no tcpdump, or if it
// does not print each packet.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { ExpectedError } from '../../model/errors.ts'
import type { PcapRecord } from '../../pcap/orderedRecords.ts'
import { unprivilegedTcpdump } from './sandbox.ts'

type Process = ChildProcess & {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
}
type ExpectedRecord = { readonly time: string; readonly bytes: number }

/** Among records: print all before it now. Among lines: all before it is printed. */
export const pause = Symbol('pause')
type Pause = typeof pause

const feedBytes = 65_536
const complaintMax = 500
const mark = markRecord() // tcpdump ends a packet's lines at the next packet: this one is fed for that, and its line is dropped
const markTime = timeOf(0, 0)

/** `header`: of a pcap file. The lines have no line end. */
export async function* textLines(
  header: Buffer,
  records: AsyncIterable<PcapRecord>,
): AsyncGenerator<string, void, undefined> {
  for await (const line of decoded(header, records, [])) if (line !== pause) yield line
}

/**
 * The same for packets that are still captured: prints each line as soon as a pause follows its
 * record.
 */
export function liveTextLines(
  header: Buffer,
  records: AsyncIterable<PcapRecord | Pause>,
): AsyncGenerator<string | Pause, void, undefined> {
  return decoded(header, records, ['-l'])
}

async function* decoded(
  header: Buffer,
  records: AsyncIterable<PcapRecord | Pause>,
  flags: readonly string[],
): AsyncGenerator<string | Pause, void, undefined> {
  const tcpdump = await start(flags)
  const complaint = complaintOf(tcpdump)
  const expected: ExpectedRecord[] = []
  const fed = feed(tcpdump, header, records, expected)
  fed.catch(() => tcpdump.kill('SIGKILL')) // awaited below
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
      line = next.time === markTime ? undefined : `${text}, ${next.bytes} bytes`
      if (line === undefined) yield pause
    }
    await fed
    const [code] = await ended
    if (code !== 0 || expected.length > 0)
      throw new ExpectedError(
        `Cannot make text of the packets: tcpdump ended with ${code}: ${await complaint}`,
      )
    if (line !== undefined) yield line
  } finally {
    tcpdump.kill('SIGKILL')
  }
}

// Joins the lines of a packet that tcpdump prints in several, with the length at the end; omits hex
// dumps.
function continued(line: string | undefined, text: string): string | undefined {
  if (line === undefined || /^\s*0x[0-9a-f]{4}:/.test(text)) return line
  const [, before = line, bytes = ''] = /^(.*)(, \d+ bytes)$/.exec(line) ?? []
  return `${before} ${text.trim()}${bytes}`
}

async function start(flags: readonly string[]): Promise<Process> {
  try {
    const env = { PATH: process.env.PATH, TZ: 'UTC0' }
    return (await unprivilegedTcpdump(['-n', '-tttt', ...flags, '-r', '-'], {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
    })) as Process
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new ExpectedError(
        'Cannot make text of the packets: found no tcpdump in PATH, expected it there; outputFormat pcap does without',
        {
          cause: error,
        },
      )
    if (code === 'EPERM')
      throw new ExpectedError(
        'Cannot make text of the packets: tcpdump is run as nobody, which takes the capabilities SETUID and SETGID',
        {
          cause: error,
        },
      )
    throw error
  }
}

async function feed(
  tcpdump: Process,
  header: Buffer,
  records: AsyncIterable<PcapRecord | Pause>,
  expected: ExpectedRecord[],
): Promise<void> {
  const { stdin } = tcpdump
  stdin.on('error', () => {}) // tcpdump ended first: its exit code says why
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
  for await (const record of records) {
    const { seconds, microseconds, original, bytes: data } = record === pause ? mark : record
    expected.push({ time: timeOf(seconds, microseconds), bytes: original })
    parts.push(Buffer.from(data)) // the next record reuses the memory
    bytes += data.length
    if ((record === pause || bytes >= feedBytes) && !(await flush())) return
  }
  await flush()
  stdin.end()
}

function timeOf(seconds: number, microseconds: number): string {
  const [date, time] = new Date(seconds * 1_000).toISOString().split('T')
  return `${date} ${time?.slice(0, 8)}.${String(microseconds).padStart(6, '0')}`
}

/** An empty packet with a timestamp before any of the kernel. */
function markRecord(): Pick<PcapRecord, 'seconds' | 'microseconds' | 'original' | 'bytes'> {
  const bytes = Buffer.alloc(16 + 14)
  for (const at of [8, 12]) bytes.writeUInt32LE(14, at)
  bytes.writeUInt16BE(0x0800, 16 + 12)
  return { seconds: 0, microseconds: 0, original: 14, bytes }
}

async function complaintOf({ stderr }: Process): Promise<string> {
  let complaint = ''
  for await (const text of stderr) complaint = `${complaint}${text}`.slice(-complaintMax)
  return complaint.trim()
}
