// All files of all nodes as one zip, made while it is sent: constant memory, whatever the sizes (zip64). Stored, not compressed:
// the network is the bound, and the files stay readable from within. The last entry, manifest.json, tells of each file what it is,
// and of each node what could not be had; a file that broke off is in the zip as far as it came.
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { PassThrough, type Readable, Transform, type TransformCallback } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { ZipFile } from 'yazl'
import { ExpectedError } from '../model/errors.ts'
import { RecordCounter } from '../pcap/recordCounter.ts'

// yazl sums up each byte in JavaScript, which is most of what a zip costs; Node has the same sum in C (bench/download.ts).
const load = createRequire(import.meta.url)
const sums = createRequire(load.resolve('yazl'))('buffer-crc32') as { unsigned: (chunk: Buffer, before?: number) => number }
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
  readonly packets?: number // in it, as far as it came; missing: no capture file
  readonly active: boolean // was still being written to
  readonly complete: boolean
  readonly error?: string
}

/** `packets` and what follows: as the node reported them last, of all files that it ever had of the capture. */
export type ManifestNode = {
  readonly node: string
  readonly packets: number
  readonly dropped: number
  readonly gaps: readonly { readonly pod: string; readonly from: string; readonly to?: string; readonly reason: string }[]
  readonly error?: string // nothing of it could be had
}

export type Zip = { readonly stream: Readable; readonly missing: Promise<readonly string[]> }

/** `missing` resolves, when the stream has ended, to the nodes of which not all could be had. */
export function zipOf(entries: readonly ZipEntry[], capture: object, nodes: readonly ManifestNode[]): Zip {
  const zip = new ZipFile()
  const stream = new PassThrough()
  const gone = new AbortController()
  stream.once('close', () => gone.abort())
  const missing = make(zip, entries, { capture, nodes }, gone.signal)
  pipeline(zip.outputStream, stream).catch(() => {}) // the reader has gone: told by the signal
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
  zip.addBuffer(Buffer.from(`${JSON.stringify({ capture, files, nodes }, undefined, 2)}\n`), 'manifest.json')
  zip.end()
  const broken = [...files.filter(({ complete }) => !complete), ...nodes.filter(({ error }) => error !== undefined)]
  return [...new Set(broken.map(({ node }) => node))]
}

// One after the other: the next is asked for when this one is through.
async function add(zip: ZipFile, { node, file, bytes, isActive, open }: ZipEntry, gone: AbortSignal): Promise<ManifestFile> {
  const meter = new ByteMeter(bytes)
  const through = finished(meter, { signal: gone }).catch(() => {}) // never rejects: the reader has gone
  let isAdded = false
  let error: string | undefined
  let source: Readable | undefined
  try {
    source = await open(gone)
    zip.addReadStream(meter, `${node}/${file}`, { compress: false, forceZip64Format: true })
    isAdded = true
    meter.once('full', () => source?.destroy(new ExpectedError(`the agent sent more than the ${bytes} bytes it listed`)))
    source.pipe(meter, { end: false })
    await finished(source, { signal: gone })
  } catch (caught) {
    error = (caught as Error).message
  }
  source?.destroy()
  meter.end()
  if (isAdded) await through
  const { sha256, packets } = meter
  const counted = { bytes: meter.bytes, sha256, ...(packets !== undefined && { packets }) }
  const facts = { node, file, ...counted, active: isActive, complete: meter.bytes === bytes }
  return error === undefined ? facts : { ...facts, complete: false, error }
}

/** Passes so much on and no more, and knows how much it was, its SHA-256, and how many packets are in it. */
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

  /** Hexadecimal; of all that has passed. */
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
