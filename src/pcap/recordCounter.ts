// Counts the packets of a capture file while its bytes are sent. In: chunks of any size of a pcap
// or pcapng file as selcap writes them. Out: the number of records; undefined for any other file,
// such as an archive. Keeps a header's worth of bytes.
import {
  blockHeaderBytes,
  blockLengthAt,
  blockTypeAt,
  blockTypes,
  formatOf,
  isBlockLength,
  isRecordLength,
  pcapHeaderBytes,
  recordHeaderBytes,
  recordLengthAt,
} from './format.ts'

export class RecordCounter {
  readonly #header = Buffer.alloc(recordHeaderBytes)
  #headerBytes = 0 // of the next header, as far as they have arrived
  #skip = 0 // bytes before that header
  #kind: 'unknown' | 'pcap' | 'pcapng' | 'other' = 'unknown'
  #records = 0

  get records(): number | undefined {
    return this.#kind === 'pcap' || this.#kind === 'pcapng' ? this.#records : undefined
  }

  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && this.#kind !== 'other'; ) {
      const skipped = Math.min(this.#skip, chunk.length - at)
      this.#skip -= skipped
      at += skipped
      if (this.#skip > 0) return
      const wanted = this.#kind === 'pcap' ? recordHeaderBytes : blockHeaderBytes
      const taken = chunk.copy(
        this.#header,
        this.#headerBytes,
        at,
        Math.min(chunk.length, at + wanted - this.#headerBytes),
      )
      at += taken
      this.#headerBytes += taken
      if (this.#headerBytes === wanted) this.#read()
    }
  }

  #read(): void {
    this.#headerBytes = 0
    if (this.#kind === 'unknown') this.#begin()
    else if (this.#kind === 'pcap') this.#readRecord()
    else this.#readBlock()
  }

  #begin(): void {
    this.#kind = formatOf(this.#header) ?? 'other'
    if (this.#kind === 'pcap') this.#skip = pcapHeaderBytes - blockHeaderBytes
    else if (this.#kind === 'pcapng') this.#readBlock()
  }

  #readRecord(): void {
    const length = recordLengthAt(this.#header, 0)
    if (!isRecordLength(length)) this.#kind = 'other'
    this.#records++
    this.#skip = length - recordHeaderBytes
  }

  #readBlock(): void {
    const length = blockLengthAt(this.#header, 0)
    if (!isBlockLength(length)) this.#kind = 'other'
    if (blockTypeAt(this.#header, 0) === blockTypes.packet) this.#records++
    this.#skip = length - blockHeaderBytes
  }
}
