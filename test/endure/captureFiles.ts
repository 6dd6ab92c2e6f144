// The numbers of the packets in a capture's files. In: a directory. Out: for each endpoint how often
// each number is there, and what is wrong with a file. Reads pcap and pcapng in plain code of its
// own, and a file that has grown only from where it ended before.
import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

export type FoundPackets = {
  readonly byEndpoint: ReadonlyMap<string, readonly number[]> // in the order of files
  readonly foreign: readonly ForeignPacket[]
  readonly faults: readonly string[]
}

/** A packet of one endpoint in a file of another. */
export type ForeignPacket = {
  readonly file: string
  readonly owner: string // of the file
  readonly sender: string
  readonly number: number
}

/** It is complete: nothing writes to it any more. */
export function isRotated(name: string): boolean {
  return /-\d{8}T\d{6}\.\d{3}Z\./.test(name)
}

type KnownFile = {
  at: number
  readonly numbers: number[]
  readonly foreign: Omit<ForeignPacket, 'file' | 'owner'>[]
  readonly strange: string[]
}
type ReadFile = KnownFile & { readonly fault: string | undefined }

export class CaptureFiles {
  readonly #directory: string
  readonly #endpoints: readonly string[] // by the number in their packets
  readonly #known = new Map<string, KnownFile>() // by inode and birth: a removed file's inode is used again

  constructor(directory: string, endpoints: readonly string[]) {
    this.#directory = directory
    this.#endpoints = endpoints
  }

  names(): string[] {
    try {
      return readdirSync(this.#directory)
        .filter(name => /^[^.].*\.pcap(ng)?$/.test(name))
        .toSorted()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  /** The packets in one open file of that name, as it is now; also those of other endpoints. */
  packetsIn(fd: number, name: string): { readonly numbers: number[]; readonly count: number } {
    const { numbers, foreign } = this.#readOpen(fd, name)
    return { numbers: [...numbers], count: numbers.length + foreign.length }
  }

  endpointOf(name: string): string | undefined {
    return this.#endpoints.find(endpoint => name.startsWith(`${endpoint}_`))
  }

  read(): FoundPackets {
    const byEndpoint = new Map<string, number[]>()
    const faults: string[] = []
    const all: ForeignPacket[] = []
    for (const name of this.names()) {
      const endpoint = this.endpointOf(name)
      if (endpoint === undefined) {
        faults.push(`${name} is of no endpoint`)
        continue
      }
      const { numbers, foreign, strange, fault } = this.#read(name)
      byEndpoint.set(endpoint, (byEndpoint.get(endpoint) ?? []).concat(numbers))
      all.push(...foreign.map(packet => ({ ...packet, file: name, owner: endpoint })))
      faults.push(...strange.map(text => `${name}: ${text}`))
      if (fault !== undefined) faults.push(`${name}: ${fault}`)
    }
    return { byEndpoint, foreign: all, faults }
  }

  #read(name: string): ReadFile {
    const fd = openSync(join(this.#directory, name), 'r')
    try {
      return this.#readOpen(fd, name)
    } finally {
      closeSync(fd)
    }
  }

  #readOpen(fd: number, name: string): ReadFile {
    const { ino, birthtimeNs, size: bytes } = fstatSync(fd, { bigint: true })
    const [size, key] = [Number(bytes), `${ino} ${birthtimeNs}`]
    const before = this.#known.get(key)
    const fresh: KnownFile = { at: 0, numbers: [], foreign: [], strange: [] }
    const known = before && before.at <= size ? before : fresh
    this.#known.set(key, known)
    const rest = Buffer.alloc(size - known.at)
    readSync(fd, rest, 0, rest.length, known.at)
    const owner = this.#endpoints.indexOf(this.endpointOf(name) ?? '')
    const { length, frames, fault } = framesIn(rest, name.endsWith('ng'), known.at === 0)
    known.at += length
    for (const frame of frames) this.#take(frame, owner, known)
    return { ...known, fault }
  }

  #take(frame: Buffer, owner: number, known: KnownFile): void {
    if (frame.length < 54 || frame.toString('latin1', 42, 48) !== 'endure') {
      known.strange.push(`a packet that nobody here sent, of ${frame.length} bytes`)
      return
    }
    const [endpoint, number] = [frame.readUInt16BE(48), frame.readUInt32BE(50)]
    if (endpoint === owner) known.numbers.push(number)
    else known.foreign.push({ sender: this.#endpoints[endpoint] ?? `${endpoint}`, number })
  }
}

type Frames = {
  readonly length: number // of what is whole
  readonly frames: readonly Buffer[]
  readonly fault: string | undefined
}

function framesIn(bytes: Buffer, isNg: boolean, isStart: boolean): Frames {
  return isNg ? ngFrames(bytes, isStart) : pcapFrames(bytes, isStart)
}

function pcapFrames(bytes: Buffer, isStart: boolean): Frames {
  const frames: Buffer[] = []
  let at = 0
  if (isStart) {
    if (bytes.length < 24) return { length: 0, frames, fault: `torn: ${bytes.length} bytes` }
    if (bytes.readUInt32LE(0) !== 0xa1b2c3d4) return { length: 0, frames, fault: 'no pcap header' }
    at = 24
  }
  while (at < bytes.length) {
    const captured = at + 16 <= bytes.length ? bytes.readUInt32LE(at + 8) : 0
    if (at + 16 + captured > bytes.length || captured > 262_144 || captured === 0)
      return { length: at, frames, fault: `torn, ${bytes.length - at} bytes before its end` }
    frames.push(bytes.subarray(at + 16, at + 16 + captured))
    at += 16 + captured
  }
  return { length: at, frames, fault: undefined }
}

function ngFrames(bytes: Buffer, isStart: boolean): Frames {
  const frames: Buffer[] = []
  let at = 0
  if (isStart && (bytes.length < 28 || bytes.readUInt32LE(0) !== 0x0a0d0d0a))
    return { length: 0, frames, fault: 'no pcapng header' }
  while (at < bytes.length) {
    const size = at + 12 <= bytes.length ? bytes.readUInt32LE(at + 4) : 0
    if (size < 12 || at + size > bytes.length || bytes.readUInt32LE(at + size - 4) !== size)
      return { length: at, frames, fault: `torn, ${bytes.length - at} bytes before its end` }
    if (bytes.readUInt32LE(at) === 6)
      frames.push(bytes.subarray(at + 28, at + 28 + bytes.readUInt32LE(at + 20)))
    at += size
  }
  return { length: at, frames, fault: undefined }
}
