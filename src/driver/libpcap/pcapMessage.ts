// The messages on the pipe from the process with a libpcap session (pcapProcess.ts) to its parent
// (pcapProcessHandle.ts). In: a packet or a ChildMessage. Out: bytes, and from bytes the same again.
// Trusts the process at the other end.
//   0      4         8         12         16         20
//   | kind | seconds | microseconds | captured | original | captured bytes |      little-endian; control: JSON in the bytes
import type { Link } from '../driver.ts'

export type Packet = {
  readonly seconds: number
  readonly microseconds: number
  readonly original: number // length on the wire
  readonly bytes: Uint8Array // valid until the next message is asked for
}

export type ChildMessage =
  | { readonly kind: 'ready'; readonly linkType: string }
  | { readonly kind: 'dropped'; readonly dropped: number } // in all, by the kernel
  | { readonly kind: 'paused' } // woken without a packet: the interface may be down, packets come again when it is up
  | { readonly kind: 'down' } // the interface is gone: no more packets follow
  | { readonly kind: 'refused'; readonly during: 'open' | 'filter'; readonly message: string }
  | { readonly kind: 'links'; readonly links: readonly Link[] }
  | { readonly kind: 'complete' } // the last message

export type Message = { readonly packet: Packet } | { readonly control: ChildMessage }

/** The request to the process: its only argument, as JSON. */
export type PcapRequest =
  | {
      readonly act: 'live'
      readonly interfaceName: string
      readonly filter: string
      readonly snapLength: number
      readonly ringBytes: number
    }
  | { readonly act: 'file'; readonly path: string; readonly filter: string } // '-': standard input
  | { readonly act: 'links' } // of the network namespace it runs in

const headerBytes = 20
const packetKind = 1
const childMessageKind = 2

/** Collects messages in one reused buffer, and passes it on when it is full and at flush(). */
export class MessageWriter {
  #buffer = Buffer.allocUnsafe(65_536)
  #used = 0
  readonly #out: (bytes: Uint8Array) => void

  constructor(out: (bytes: Uint8Array) => void) {
    this.#out = out
  }

  /**
   * `header`: as the pcap package has it: seconds, microseconds, captured and original in the
   * machine's order.
   */
  packet(header: Buffer, bytes: Uint8Array): void {
    const at = this.#room(headerBytes + bytes.length)
    this.#buffer.writeUInt32LE(packetKind, at)
    header.copy(this.#buffer, at + 4, 0, 16)
    this.#buffer.writeUInt32LE(bytes.length, at + 12)
    this.#buffer.set(bytes, at + headerBytes)
  }

  message(control: ChildMessage): void {
    const text = Buffer.from(JSON.stringify(control))
    const at = this.#room(headerBytes + text.length)
    this.#buffer.fill(0, at, at + headerBytes)
    this.#buffer.writeUInt32LE(childMessageKind, at)
    this.#buffer.writeUInt32LE(text.length, at + 12)
    this.#buffer.set(text, at + headerBytes)
  }

  flush(): void {
    if (this.#used > 0) this.#out(this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }

  #room(bytes: number): number {
    if (this.#used + bytes > this.#buffer.length) this.flush()
    if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(bytes)
    const at = this.#used
    this.#used += bytes
    return at
  }
}

/** Makes messages of chunks of any size. peek() returns the same message until skip(). */
export class MessageReader {
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0

  push(chunk: Buffer): void {
    this.#chunk =
      this.#at === this.#chunk.length
        ? chunk
        : Buffer.concat([this.#chunk.subarray(this.#at), chunk])
    this.#at = 0
  }

  peek(): Message | undefined {
    const size = this.#size()
    if (size === undefined) return undefined
    const bytes = this.#chunk.subarray(this.#at + headerBytes, this.#at + size)
    if (this.#chunk.readUInt32LE(this.#at) === childMessageKind)
      return { control: JSON.parse(bytes.toString()) as ChildMessage }
    const seconds = this.#chunk.readUInt32LE(this.#at + 4)
    const microseconds = this.#chunk.readUInt32LE(this.#at + 8)
    return {
      packet: { seconds, microseconds, original: this.#chunk.readUInt32LE(this.#at + 16), bytes },
    }
  }

  skip(): void {
    this.#at += this.#size() ?? 0
  }

  #size(): number | undefined {
    const left = this.#chunk.length - this.#at
    if (left < headerBytes) return undefined
    const size = headerBytes + this.#chunk.readUInt32LE(this.#at + 12)
    return left < size ? undefined : size
  }
}
