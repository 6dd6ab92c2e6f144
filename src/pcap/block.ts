// Makes pcapng blocks and their options, for file headers and live streams. In: a block's type,
// body and options. Out: bytes, little-endian, times in nanoseconds. Refuses nothing.

import { blockHeaderBytes, blockTypes } from './format.ts'

export function makeBlock(type: number, body: Buffer, options: readonly Buffer[]): Buffer {
  const total = 12 + body.length + options.reduce((bytes, each) => bytes + each.length, 4)
  const head = Buffer.alloc(blockHeaderBytes)
  head.writeUInt32LE(type, 0)
  head.writeUInt32LE(total, 4)
  const tail = Buffer.alloc(8) // the end of the options, and the length again
  tail.writeUInt32LE(total, 4)
  return Buffer.concat([head, body, ...options, tail])
}

export function option(code: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16LE(code, 0)
  head.writeUInt16LE(value.length, 2)
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)])
}

export function textOption(code: number, text: string): Buffer {
  return option(code, Buffer.from(text))
}

/**
 * A block of names without a name, with a comment or nothing: readers pass over it, and it needs no
 * interface. It keeps a live stream alive, and tells of what is missing.
 */
export function noteBlock(comment?: string): Buffer {
  const end = Buffer.alloc(4) // of the names
  return makeBlock(blockTypes.names, end, comment === undefined ? [] : [textOption(1, comment)])
}

/** Nanoseconds, the high half first. */
export function timestampBytes(atMs: number): Buffer {
  const ns = BigInt(Math.round(atMs)) * 1_000_000n
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(Number(ns >> 32n), 0)
  bytes.writeUInt32LE(Number(ns & 0xffff_ffffn), 4)
  return bytes
}

export function countBytes(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
