// Prints a capture's packets, one line each, while its files grow or after they are complete. In:
// the directory of the files, and whether they still grow. Out: lines. One tcpdump decodes all
// files while packets come. An offset is saved after its lines are printed, so a killed process
// repeats at most 4 KiB of lines and omits none.

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
  readonly onUnsaved?: (error: string) => void // once, when an offset cannot be saved: a new process would repeat lines
}

/** Ends after `quietMs` without a packet. */
export type GrowingFile = { readonly clock: Clock; readonly quietMs: number }

type End = Pick<PcapRecord, 'file' | 'endAt'>
type Records = AsyncGenerator<PcapRecord | typeof pause, void, undefined>

const pollIntervalMs = 200
const printBytes = 4_096 // written to a pipe atomically, also beside other writers
const header = pcapHeader(snapLengthMax)

/** Prints what the files hold and was not printed yet; with `growing` also what is added. */
export async function printPackets(
  { folder, print, signal, onUnsaved }: Printing,
  growing?: GrowingFile,
): Promise<void> {
  const over = new AbortController()
  const both = AbortSignal.any([signal, over.signal])
  await using printed = await PrintOffset.open(folder)
  const fed: End[] = [] // ends of records whose lines tcpdump has not printed
  const records = growing
    ? growingRecords(printed, fed, both, growing)
    : passOn(printed, new Map(), fed, both)
  const first = await records.next()
  if (first.done) return // no packets: tcpdump is not started
  const page = new Page({ print, printed, signal: both, onUnsaved })
  try {
    for await (const line of liveTextLines(header, chained(first.value, records))) {
      if (line === pause) await page.flush()
      else await page.add(`PACKET: ${line}\n`, fed.shift())
    }
    await page.flush()
  } finally {
    over.abort() // ends what still reads
  }
}

async function* growingRecords(
  printed: PrintOffset,
  fed: End[],
  signal: AbortSignal,
  { clock, quietMs }: GrowingFile,
): Records {
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

/** One pass over the unprinted records. */
async function* passOn(
  printed: PrintOffset,
  readTo: Map<number, number>,
  fed: End[],
  signal: AbortSignal,
): Records {
  let count = 0
  for await (const record of recordsOf(await printed.unread(readTo))) {
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

type PageDeps = {
  readonly print: LinePrinter
  readonly printed: PrintOffset
  readonly signal: AbortSignal
  readonly onUnsaved: ((error: string) => void) | undefined
}

/** Lines that are printed together. */
class Page {
  readonly #deps: PageDeps
  #isUnsaved = false
  #lines: string[] = []
  #bytes = 0
  #ends = new Map<number, number>()

  constructor(deps: PageDeps) {
    this.#deps = deps
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
    const { print, printed, signal, onUnsaved } = this.#deps
    await print(text, signal)
    const error = await printed.note(ends)
    if (error !== undefined && !this.#isUnsaved) onUnsaved?.(error)
    this.#isUnsaved = error !== undefined
  }
}
