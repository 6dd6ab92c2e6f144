// Makes one file of all packets that a capture has on this node, ordered by time: pcap or text. Or
// prints the text to the log. In: the job and the directory of its files. Out: the result. The file
// appears under its name when it is complete, never exceeds its limit, and is the same if it is
// made again after a crash.
import { basename, dirname, join } from 'node:path'
import type { ArtifactResult, SingleFile } from '../model/artifact.ts'
import { snapLengthMax } from '../model/capture.ts'
import type { ArtifactJob } from '../model/decision.ts'
import { ExpectedError, isExpected } from '../model/errors.ts'
import { pcapHeader } from '../pcap/fileHeader.ts'
import { type PcapRecord, recordsInOrder } from '../pcap/orderedRecords.ts'
import { atomicWrite, fittingName } from '../runtime/atomicWrite.ts'
import { makeDirectory } from '../runtime/makeDirectory.ts'
import type { LinePrinter } from './text/stdoutWriter.ts'

/** `folder`: of the capture's files. `print`: writes lines to the log. */
export type FilePlace = {
  readonly folder: string
  readonly print: LinePrinter
  readonly nowMs: number
  readonly signal: AbortSignal
}

type KeptBytes = { readonly bytes: number; readonly left: number } // `left`: packets beyond the limit

const writeBytes = 65_536
export const temporarySuffix = '.part'
const packedSuffix = '.gz' // tidyDirectory.ts adds it later
const header = pcapHeader(snapLengthMax)

export async function makeSingleFile(
  job: ArtifactJob,
  artifact: SingleFile,
  place: FilePlace,
): Promise<ArtifactResult> {
  const attempts = (job.facts.artifact?.attempts ?? 0) + 1
  try {
    return { ...(await make(job, artifact, place)), attempts }
  } catch (error) {
    if (!isExpected(error)) throw error
    return { atMs: place.nowMs, files: [], error: error.message, attempts }
  }
}

async function make(
  job: ArtifactJob,
  artifact: SingleFile,
  { folder, print, nowMs: atMs, signal }: FilePlace,
): Promise<ArtifactResult> {
  const records = stopWhen(
    signal,
    recordsInOrder(job.facts.fileNames.map(name => join(folder, name))),
  )
  if (artifact.form === 'stdout') {
    const { printPackets } = await import('./text/printPackets.ts')
    await printPackets({ folder, print, signal })
    return { atMs, files: [] }
  }
  const path = join(artifact.directory, fileNameOf(job, artifact.form))
  const { bytes, left } = await writeFile(
    path,
    await chunksOf(artifact.form, records),
    artifact.bytesMax,
  )
  const files = [{ path, bytes }]
  return left === 0
    ? { atMs, files }
    : { atMs, files, note: `${left} packets found no place in ${artifact.bytesMax} bytes` }
}

/** {name}-{YYYYMMDD-HHMMSS}: when the capture began on this node, in UTC. */
export function fileNameOf(
  { capture, facts }: Pick<ArtifactJob, 'capture' | 'facts'>,
  form: 'pcap' | 'text',
): string {
  const [date = '', time = ''] = new Date(facts.firstOpenedAtMs ?? 0).toISOString().split('T')
  const suffix = `-${date.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}.${form === 'pcap' ? 'pcap' : 'txt'}`
  return fittingName(capture.name, `${suffix}${packedSuffix}`).slice(0, -packedSuffix.length)
}

async function chunksOf(
  form: 'pcap' | 'text',
  records: AsyncIterable<PcapRecord>,
): Promise<AsyncIterable<Buffer>> {
  return form === 'text' ? linesOf(records) : pcapOf(records)
}

async function* pcapOf(
  records: AsyncIterable<PcapRecord>,
): AsyncGenerator<Buffer, void, undefined> {
  yield header
  for await (const { bytes } of records) yield bytes
}

async function linesOf(records: AsyncIterable<PcapRecord>): Promise<AsyncIterable<Buffer>> {
  const { textLines } = await import('./text/tcpdump.ts') // loaded when it is needed, to save an agent's memory
  return (async function* () {
    for await (const line of textLines(header, records)) yield Buffer.from(`${line}\n`)
  })()
}

async function* stopWhen<T>(
  signal: AbortSignal,
  items: AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  for await (const item of items) {
    if (signal.aborted) throw new ExpectedError('Cannot make the file now: selcap is stopping')
    yield item
  }
}

async function* gatherChunks(
  chunks: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  let [parts, bytes]: [Buffer[], number] = [[], 0]
  for await (const chunk of chunks) {
    parts.push(Buffer.from(chunk)) // the next record reuses the memory
    bytes += chunk.length
    if (bytes < writeBytes) continue
    yield Buffer.concat(parts)
    ;[parts, bytes] = [[], 0]
  }
  if (parts.length > 0) yield Buffer.concat(parts)
}

async function writeFile(
  path: string,
  chunks: AsyncIterable<Buffer>,
  bytesMax: number,
): Promise<KeptBytes> {
  const kept = { bytes: 0, left: 0 }
  await writeWhole(path, gatherChunks(takeWithinBytes(chunks, bytesMax, kept)))
  return kept
}

async function* takeWithinBytes(
  chunks: AsyncIterable<Buffer>,
  bytesMax: number,
  kept: { bytes: number; left: number },
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    const isFull = kept.left > 0 || kept.bytes + chunk.length > bytesMax
    if (isFull) kept.left++
    else kept.bytes += chunk.length
    if (!isFull) yield chunk
  }
}

/** Hidden until it is complete and on the disk; then it replaces what is under that name. */
export async function writeWhole(path: string, chunks: AsyncIterable<Buffer>): Promise<void> {
  const directory = dirname(path)
  await makeDirectory(directory, 0o750)
  const temporary = join(directory, fittingName(`.${basename(path)}`, temporarySuffix))
  await atomicWrite(path, chunks, { isLasting: true, exactMode: 0o640, temporary })
}
