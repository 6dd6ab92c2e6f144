// Makes one zip of all files of all nodes while it is sent. In: files to open one by one. Out: a
// stream of constant memory whatever the sizes (zip64). Stored, not compressed: the network is the
// bottleneck, and tools can read the files in place. The last entry, manifest.json, describes each
// file and what each node failed to give. A file that broke off is in the zip as far as it came.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { PassThrough, type Readable, Transform, type TransformCallback } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { ZipFile } from 'yazl'
import { ExpectedError } from '../model/errors.ts'
import { RecordCounter } from '../pcap/recordCounter.ts'

// yazl computes CRC-32 in JavaScript, which is most of a zip's cost; Node has the same in C
// (bench/download.ts).
const load = createRequire(import.meta.url)
const sums = createRequire(load.resolve('yazl'))('buffer-crc32') as {
  unsigned: (chunk: Buffer, before?: number) => number
}
sums.unsigned = (chunk, before) => crc32(chunk, before)

export type ZipEntry = {
  readonly node: string
  readonly file: string
  readonly bytes: number
  readonly isActive: boolean
  readonly open: (gone: AbortSignal) => Promise<Readable>
}

export type ManifestFile = {
  readonly node: string
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly packets?: number // of what arrived; missing: not a capture file
  readonly active: boolean // was still being written to
  readonly complete: boolean
  readonly error?: string
}

/**
 * `packets`, `dropped` and `gaps`: as the node reported them last, for all files it ever had of the
 * capture.
 */
export type ManifestNode = {
  readonly node: string
  readonly packets: number
  readonly dropped: number
  readonly gaps: readonly {
    readonly pod: string
    readonly from: string
    readonly to?: string
    readonly reason: string
  }[]
  readonly error?: string // why its files are missing
}

export type Zip = { readonly stream: Readable; readonly missing: Promise<readonly string[]> }

/** `missing` resolves at the end of the stream, to the nodes whose files are not all in it. */
export function zipOf(
  entries: readonly ZipEntry[],
  capture: object,
  nodes: readonly ManifestNode[],
): Zip {
  const zip = new ZipFile()
  const stream = new PassThrough()
  const gone = new AbortController()
  stream.once('close', () => gone.abort())
  const missing = make(zip, entries, { capture, nodes }, gone.signal)
  pipeline(zip.outputStream, stream).catch(error => stream.destroy(error as Error)) // the caller sees why its stream ended
  missing.catch(error => stream.destroy(error as Error))
  return { stream, missing }
}

type ZipFacts = { readonly capture: object; readonly nodes: readonly ManifestNode[] }

async function make(
  zip: ZipFile,
  entries: readonly ZipEntry[],
  { capture, nodes }: ZipFacts,
  gone: AbortSignal,
): Promise<readonly string[]> {
  const files: ManifestFile[] = []
  for (const entry of entries) if (!gone.aborted) files.push(await add(zip, entry, gone))
  zip.addBuffer(
    Buffer.from(`${JSON.stringify({ capture, files, nodes }, undefined, 2)}\n`),
    'manifest.json',
  )
  zip.end()
  const broken = [
    ...files.filter(({ complete }) => !complete),
    ...nodes.filter(({ error }) => error !== undefined),
  ]
  return [...new Set(broken.map(({ node }) => node))]
}

// One file at a time: the next is opened when this one has ended.
async function add(
  zip: ZipFile,
  { node, file, bytes, isActive, open }: ZipEntry,
  gone: AbortSignal,
): Promise<ManifestFile> {
  const meter = new ByteMeter(bytes)
  const flushed = finished(meter, { signal: gone }).catch(() => {}) // rejects only when the reader has gone, which ends the zip
  let isAdded = false
  let error: string | undefined
  let source: Readable | undefined
  try {
    source = await open(gone)
    zip.addReadStream(meter, `${node}/${file}`, { compress: false, forceZip64Format: true })
    isAdded = true
    meter.once('full', () =>
      source?.destroy(new ExpectedError(`the agent sent more than the ${bytes} bytes it listed`)),
    )
    source.pipe(meter, { end: false })
    await finished(source, { signal: gone })
  } catch (caught) {
    error = (caught as Error).message
  }
  source?.destroy()
  meter.end()
  if (isAdded) await flushed
  const { sha256, packets } = meter
  const counted = { bytes: meter.bytes, sha256, ...(packets !== undefined && { packets }) }
  const facts = { node, file, ...counted, active: isActive, complete: meter.bytes === bytes }
  return error === undefined ? facts : { ...facts, complete: false, error }
}

/** Passes at most so many bytes on, and counts them, their SHA-256 and their packets. */
class ByteMeter extends Transform {
  readonly #hash = createHash('sha256')
  readonly #counter = new RecordCounter()
  readonly #bytesMax: number
  bytes = 0

  constructor(bytesMax: number) {
    super()
    this.#bytesMax = bytesMax
  }

  get packets(): number | undefined {
    return this.#counter.records
  }

  /** Hexadecimal; of the bytes so far. */
  get sha256(): string {
    return this.#hash.copy().digest('hex')
  }

  override _transform(given: Buffer, _: BufferEncoding, done: TransformCallback): void {
    const chunk = given.subarray(0, this.#bytesMax - this.bytes)
    if (chunk.length < given.length) this.emit('full')
    this.#hash.update(chunk)
    this.#counter.take(chunk)
    this.bytes += chunk.length
    done(null, chunk)
  }
}
