// Writes complete records to the sinks of one tap. In: records, collected in a buffer that flush()
// writes after each batch. Out: bytes on descriptors, events, counts. Moves to the next sink at a
// sink's size and keeps to the group's limits. After a failed write it cuts the file back to its
// last complete record and refuses records until retry(). Opens and closes no descriptor, and waits
// for no disk in a turn.
import { fstat, ftruncate, write } from 'node:fs'
import { promisify } from 'node:util'
import type { Format } from '../../model/capture.ts'
import { type Recorded, recordBytes, writeRecord } from '../../pcap/record.ts'
import type { Sink, TapEvent, Waiting } from '../driver.ts'
import type { SharedLimit } from './sharedLimit.ts'

export type WrittenCounts = {
  readonly packets: number
  readonly bytes: number
  readonly refused: number
  readonly lastPacketMs?: number
}
type RecordSink = {
  readonly format: Format
  readonly group: SharedLimit
  readonly sink: Sink
  readonly emit: (event: WriterEvent) => void
}
export type WriterEvent =
  | Exclude<TapEvent, { kind: 'moved' } | { kind: 'down' } | { kind: 'limit' }>
  | { readonly kind: 'moved'; readonly fd: number }

export class RecordWriter {
  readonly #out: RecordSink
  #sink: { fd: number; bytesLeft: number; isEmpty: boolean }
  #next: Sink[] = []
  #batch = Buffer.allocUnsafe(65_536)
  #ends: number[] = [] // where each record of the batch ends
  #times: number[] = [] // its time, milliseconds
  #wasEmpty: boolean // the sink, before the batch
  #wantsNext = false
  #isFailing = false
  #givesUp = false
  #packets = 0
  #bytes = 0
  #refused = 0
  #lastPacketMs: number | undefined
  #room = Promise.withResolvers<void>()
  #working: Promise<void> | undefined // a write, and a move to the next sink
  #writing: { readonly bytes: number; readonly sinceMs: number } | undefined

  constructor(out: RecordSink) {
    this.#out = out
    this.#sink = { ...out.sink }
    this.#wasEmpty = out.sink.isEmpty
  }

  get written(): WrittenCounts {
    const counts = { packets: this.#packets, bytes: this.#bytes, refused: this.#refused }
    return this.#lastPacketMs === undefined
      ? counts
      : { ...counts, lastPacketMs: this.#lastPacketMs }
  }

  /**
   * True: the record was buffered, or counted as refused. False: a write is under way, or no sink
   * has room for it; call again after room().
   */
  accept(record: Recorded): boolean {
    if (this.#working) return false
    const size = recordBytes(this.#out.format, record)
    const isFull = this.#batchBytes + size > this.#batch.length && this.#ends.length > 0
    const isAllowed = this.#out.group.allows(size)
    // A failed write returns its share of the limit.
    if (isFull || (!isAllowed && this.#ends.length > 0)) return this.#work(false)
    if (this.#isFailing) return this.#refuse()
    if (!isAllowed) {
      this.#out.group.reach(size)
      return this.#refuse()
    }
    if (!this.#fits(size)) return this.#makeRoom()
    this.#add(record, size)
    return true
  }

  /** Writes the buffer. */
  async flush(): Promise<void> {
    while (this.#working || this.#ends.length > 0) {
      if (!this.#working) this.#work(false)
      await this.#working
    }
  }

  /** What the file does not have yet. */
  waiting(): Waiting {
    const { bytes, sinceMs } = this.#writing ?? { bytes: 0, sinceMs: performance.now() }
    return { bytes, oldestMs: performance.now() - sinceMs }
  }

  offer(sink: Sink): void {
    this.#next.push(sink)
    if (this.#wantsNext && !this.#working) this.#work(true)
    this.#wake()
  }

  rotate(): void {
    this.#wantsNext = !this.#sink.isEmpty
    if (this.#wantsNext && !this.#working) this.#work(true)
  }

  /** Of what is not counted yet. */
  setBytesLeft(bytesLeft: number): void {
    this.#sink.bytesLeft = bytesLeft - this.#batchBytes
    this.#wake()
  }

  retry(): void {
    this.#isFailing = false
  }

  /** From now on a record without room is refused instead of waiting. */
  giveUp(): void {
    this.#givesUp = true
    this.#wake()
  }

  /** Resolves when accept() is worth another try. */
  room(): Promise<void> {
    return this.#room.promise
  }

  get #batchBytes(): number {
    return this.#ends.at(-1) ?? 0
  }

  #fits(size: number): boolean {
    return !this.#wantsNext && (this.#sink.isEmpty || size <= this.#sink.bytesLeft)
  }

  /** For a record that the sink has no room for. True: it was refused. */
  #makeRoom(): boolean {
    if (this.#next.length > 0 || this.#ends.length > 0) return this.#work(true)
    return this.#givesUp && this.#refuse()
  }

  #refuse(): true {
    this.#refused++
    return true
  }

  /** One at a time: nothing is added to the buffer meanwhile. */
  #work(moves: boolean): false {
    this.#working = this.#writeBatch().then(() => {
      if (moves || this.#wantsNext) this.#move()
      this.#working = undefined
      this.#wake()
    })
    return false
  }

  async #writeBatch(): Promise<void> {
    if (this.#ends.length === 0) return
    const { fd } = this.#sink
    const bytes = this.#batch.subarray(0, this.#batchBytes)
    this.#writing = { bytes: bytes.length, sinceMs: performance.now() }
    const { written, code } = await writeAll(fd, bytes)
    const whole = this.#ends.findLastIndex(end => end <= written) + 1
    if (code !== undefined) await this.#cutBack(written, whole, code)
    this.#count(whole)
    this.#ends = []
    this.#times = []
    this.#wasEmpty = this.#sink.isEmpty
    this.#writing = undefined
    this.#out.group.commit()
  }

  #move(): void {
    const [next, ...later] = this.#next
    if (!next || this.#isFailing) return
    const done = this.#sink.fd
    this.#sink = { ...next }
    this.#next = later
    this.#wasEmpty = next.isEmpty
    this.#wantsNext = false
    this.#out.emit({ kind: 'moved', fd: done })
  }

  #add(record: Recorded, size: number): void {
    const at = this.#batchBytes
    if (size > this.#batch.length) this.#batch = Buffer.allocUnsafe(size) // the buffer was flushed before
    writeRecord(this.#out.format, record, this.#batch, at)
    this.#ends.push(at + size)
    this.#times.push(record.seconds * 1_000 + record.microseconds / 1_000)
    this.#sink.bytesLeft -= size
    this.#sink.isEmpty = false
    this.#out.group.take(1, size)
  }

  #count(whole: number): void {
    if (whole === 0) return
    const first = this.#packets === 0
    this.#packets += whole
    this.#bytes += this.#ends[whole - 1] ?? 0
    this.#lastPacketMs = this.#times[whole - 1]
    if (first) this.#out.emit({ kind: 'firstPacket', atMs: this.#times[0] ?? 0 })
  }

  /**
   * Undoes the part of the batch that was not written: the torn record in the file, the sizes, the
   * limits.
   */
  async #cutBack(written: number, whole: number, code: string): Promise<void> {
    const kept = this.#ends[whole - 1] ?? 0
    if (written > kept) await cutTail(this.#sink.fd, written - kept)
    const lost = this.#ends.length - whole
    this.#sink.bytesLeft += this.#batchBytes - kept
    this.#sink.isEmpty = this.#wasEmpty && whole === 0
    this.#out.group.giveBack(lost, this.#batchBytes - kept)
    this.#refused += lost
    this.#isFailing = true
    this.#out.emit({ kind: 'writeFailed', fd: this.#sink.fd, code })
  }

  #wake(): void {
    this.#room.resolve()
    this.#room = Promise.withResolvers()
  }
}

const writeAsync = promisify(write)
const statAsync = promisify(fstat)
const truncateAsync = promisify(ftruncate)

async function writeAll(
  fd: number,
  bytes: Uint8Array,
): Promise<{ readonly written: number; readonly code?: string }> {
  let written = 0
  try {
    while (written < bytes.length)
      written += (await writeAsync(fd, bytes.subarray(written))).bytesWritten
    return { written }
  } catch (error) {
    return { written, code: (error as NodeJS.ErrnoException).code ?? 'EIO' }
  }
}

/** Removes the last bytes of a file. A pipe's reader has them already. */
async function cutTail(fd: number, bytes: number): Promise<void> {
  const stat = await statAsync(fd)
  if (stat.isFile()) await truncateAsync(fd, stat.size - bytes)
}
