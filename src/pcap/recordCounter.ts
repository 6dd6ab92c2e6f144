// How many packets a capture file holds, counted as its bytes pass by in whatever pieces. In: pcap and pcapng as selcap writes them.
// Out: the number of records; undefined for anything else, as an archive.
import { recordBytesMax } from '../model/capture.ts'

const pcapMagic = 0xa1b2c3d4
const pcapHeader = { file: 24, record: 16 } as const
const sectionBlock = 0x0a0d0d0a
const packetBlock = 6
const blockHeader = 8

export class RecordCounter {
  readonly #head = Buffer.alloc(pcapHeader.record)
  #headBytes = 0 // of the header that comes next, as far as it is there
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
      const wanted = this.#kind === 'pcap' ? pcapHeader.record : blockHeader
      const taken = chunk.copy(this.#head, this.#headBytes, at, Math.min(chunk.length, at + wanted - this.#headBytes))
      at += taken
      this.#headBytes += taken
      if (this.#headBytes === wanted) this.#read()
    }
  }

  #read(): void {
    this.#headBytes = 0
    if (this.#kind === 'unknown') this.#begin()
    else if (this.#kind === 'pcap') this.#readRecord()
    else this.#readBlock()
  }

  #begin(): void {
    const magic = this.#head.readUInt32LE(0)
    this.#kind = magic === pcapMagic ? 'pcap' : magic === sectionBlock ? 'pcapng' : 'other'
    if (this.#kind === 'pcap') this.#skip = pcapHeader.file - blockHeader
    else if (this.#kind === 'pcapng') this.#readBlock()
  }

  #readRecord(): void {
    const captured = this.#head.readUInt32LE(8)
    if (captured > recordBytesMax) this.#kind = 'other'
    this.#records++
    this.#skip = captured
  }

  #readBlock(): void {
    const length = this.#head.readUInt32LE(4)
    if (length < blockHeader + 4 || length > recordBytesMax) this.#kind = 'other'
    if (this.#head.readUInt32LE(0) === packetBlock) this.#records++
    this.#skip = length - blockHeader
  }
}
