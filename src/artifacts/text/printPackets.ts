// Prints a capture's packets, a line each, while its files grow or once they are complete. In: the folder of the files, and whether
// more is to come. One tcpdump decodes all of them for as long as packets come. A line is told of as printed when it is, so that a
// process that is killed repeats the last 4 KiB of lines at most, and leaves out none.

import { snapLengthMax } from '../../model/capture.ts'
import { pcapHeader } from '../../pcap/fileHeader.ts'
import { type PcapRecord, recordsOf } from '../../pcap/orderedRecords.ts'
import type { Clock } from '../../runtime/clock.ts'
import { PrintOffset } from './printOffset.ts'
import { type LinePrinter, printerStopped } from './stdoutWriter.ts'
import { liveTextLines, pause } from './tcpdump.ts'

export type Printing = {
  readonly folder: string
  readonly print: LinePrinter
  readonly signal: AbortSignal
}

/** `quietMs`: when none has come for so long, it is over. */
export type GrowingFile = { readonly clock: Clock; readonly quietMs: number }

type End = Pick<PcapRecord, 'file' | 'endAt'>
type Records = AsyncGenerator<PcapRecord | typeof pause, void, undefined>

const pollIntervalMs = 200
const printBytes = 4_096 // goes into a pipe as a whole, whoever else writes there
const header = pcapHeader(snapLengthMax)

/** What is there and was not printed yet; with `growing` also what comes. */
export async function printPackets({ folder, print, signal }: Printing, growing?: GrowingFile): Promise<void> {
  const over = new AbortController()
  const both = AbortSignal.any([signal, over.signal])
  using printed = PrintOffset.open(folder)
  const fed: End[] = [] // of records whose lines have not come out
  const records = growing ? growingRecords(printed, fed, both, growing) : passOn(printed, new Map(), fed, both)
  const first = await records.next()
  if (first.done) return // tcpdump is not started for nothing
  const page = new Page(print, printed, both)
  try {
    for await (const line of liveTextLines(header, chained(first.value, records))) {
      if (line === pause) await page.flush()
      else await page.add(`PACKET: ${line}\n`, fed.shift())
    }
    await page.flush()
  } finally {
    over.abort() // whatever still reads
  }
}

async function* growingRecords(printed: PrintOffset, fed: End[], signal: AbortSignal, { clock, quietMs }: GrowingFile): Records {
  const readTo = new Map<number, number>()
  for (let lastAtMs = clock.now(); ; ) {
    for await (const record of passOn(printed, readTo, fed, signal)) {
      lastAtMs = clock.now()
      yield record
    }
    if (clock.now() - lastAtMs > quietMs) return
    await clock.sleepUntil(clock.now() + pollIntervalMs, signal)
    if (signal.aborted) throw printerStopped()
  }
}

/** Once over all that has come since. */
async function* passOn(printed: PrintOffset, readTo: Map<number, number>, fed: End[], signal: AbortSignal): Records {
  let count = 0
  for await (const record of recordsOf(printed.unread(readTo))) {
    if (signal.aborted) throw printerStopped()
    const { file, endAt } = record
    readTo.set(file, endAt)
    fed.push({ file, endAt })
    count++
    yield record
  }
  if (count > 0) yield pause
}

async function* chained(first: PcapRecord | typeof pause, rest: Records): Records {
  yield first
  yield* rest
}

/** Lines that are printed together. */
class Page {
  readonly #print: LinePrinter
  readonly #printed: PrintOffset
  readonly #signal: AbortSignal
  #lines: string[] = []
  #bytes = 0
  #ends = new Map<number, number>()

  constructor(print: LinePrinter, printed: PrintOffset, signal: AbortSignal) {
    this.#print = print
    this.#printed = printed
    this.#signal = signal
  }

  async add(line: string, end: End | undefined): Promise<void> {
    const bytes = Buffer.byteLength(line)
    if (this.#bytes + bytes > printBytes) await this.flush()
    this.#lines.push(line)
    this.#bytes += bytes
    if (end) this.#ends.set(end.file, end.endAt)
  }

  async flush(): Promise<void> {
    if (this.#lines.length === 0) return
    const [text, ends] = [this.#lines.join(''), this.#ends]
    ;[this.#lines, this.#bytes, this.#ends] = [[], 0, new Map()]
    await this.#print(text, this.#signal)
    this.#printed.note(ends)
  }
}
