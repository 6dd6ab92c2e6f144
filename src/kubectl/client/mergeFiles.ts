// Merges capture files by packet time into one pcapng file, with one interface per endpoint, named
// after its pod; one more for each other link type of its files. Reads all endpoints at once and each endpoint's files in order, and holds one
// chunk per endpoint. The order of packets within an endpoint is kept, and so are directions and
// drop counts.
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { snapLengthMax } from '../../model/capture.ts'
import { CommandFailure, ExpectedError } from '../../model/errors.ts'
import type { LinkType } from '../../model/linkType.ts'
import { fileHeader } from '../../pcap/fileHeader.ts'
import { blockLengthAt, packetFields } from '../../pcap/format.ts'
import { linkTypeOfFile } from '../../pcap/linkHeader.ts'
import { readPacketBlocks, type TimedBlock } from '../../pcap/packetBlocks.ts'

/** One endpoint's files, oldest first. */
export type FileSeries = {
  readonly node: string
  readonly interfaceName: string
  readonly endpoint: string
  readonly files: readonly string[]
  readonly linkType?: LinkType
}
export type MergeOptions = {
  readonly capture: string
  readonly out: string
  readonly signal: AbortSignal
}

type NamedFile = { readonly node: string; readonly file: string; readonly path: string }
type MergeInput = {
  readonly id: number
  readonly batches: AsyncGenerator<TimedBlock[]>
  blocks: TimedBlock[]
  at: number
}

const writeBytes = 262_144

/**
 * Groups files by name: {pod}_{interface}, then the time of rotation; the active file comes last.
 */
export function seriesOf(files: readonly NamedFile[], namespace: string): FileSeries[] {
  const byEndpoint = Map.groupBy(files, ({ node, file }) => `${node}/${withoutTime(file)}`)
  return [...byEndpoint.values()].map(all => {
    const { node, file } = all[0] as NamedFile
    const [pod = '', interfaceName = ''] = withoutTime(file).split('_')
    // '-' of a rotated name sorts before '.' of the active one's.
    const paths = all.toSorted((a, b) => (a.file < b.file ? -1 : 1)).map(({ path }) => path)
    return { node, interfaceName, endpoint: `${namespace}/${pod}`, files: paths }
  })
}

/** Returns the number of packets. */
export async function mergeFiles(
  series: readonly FileSeries[],
  { capture, out, signal }: MergeOptions,
): Promise<number> {
  const file = createWriteStream(out, { mode: 0o600, highWaterMark: writeBytes, signal })
  const failed = once(file, 'error', { signal }).then(([error]) => Promise.reject(error))
  failed.catch(() => {}) // write() and the end below race with it and report its error
  const write = async (bytes: Buffer) =>
    void (file.write(bytes) || (await Promise.race([once(file, 'drain'), failed])))
  const alike = (await Promise.all(series.map(splitByLinkType))).flat()
  await write(Buffer.concat([...headersOf(alike, capture)]))
  const packets = await mergeInputs(await mergeInputsOf(alike), write)
  await Promise.race([new Promise<void>(resolve => file.end(resolve)), failed])
  return packets
}

async function splitByLinkType(series: FileSeries): Promise<FileSeries[]> {
  const linkTypes = await Promise.all(series.files.map(linkTypeAt))
  return [...new Set(linkTypes)].map(linkType => ({
    ...series,
    linkType,
    files: series.files.filter((_, index) => linkTypes[index] === linkType),
  }))
}

async function linkTypeAt(path: string): Promise<LinkType> {
  await using file = await open(path)
  return await linkTypeOfFile(file)
}

/** Writes one section header, then one interface per series, in their order. */
function* headersOf(series: readonly FileSeries[], capture: string): Generator<Buffer> {
  const node = [...new Set(series.map(each => each.node))].join(', ')
  for (const [index, { interfaceName, endpoint, linkType = 'Ethernet' }] of series.entries()) {
    const header = fileHeader({
      format: 'pcapng',
      snapLength: snapLengthMax,
      linkType,
      interfaceName,
      endpoint,
      capture,
      node,
      filter: '',
    })
    const sectionBytes = blockLengthAt(header, 0)
    yield index === 0 ? header : header.subarray(sectionBytes)
  }
}

async function mergeInputsOf(series: readonly FileSeries[]): Promise<MergeInput[]> {
  const inputs = series.map(
    ({ files }, id): MergeInput => ({ id, batches: blocksOf(files), blocks: [], at: 0 }),
  )
  const isFull = await Promise.all(inputs.map(refill))
  return inputs.filter((_, index) => isFull[index]).toSorted((a, b) => compare(head(a), head(b)))
}

/** Keeps `inputs` sorted by their first packet. */
async function mergeInputs(
  inputs: MergeInput[],
  write: (bytes: Buffer) => Promise<void>,
): Promise<number> {
  let [packets, waiting, waitingBytes] = [0, [] as Buffer[], 0]
  for (let input = inputs[0]; input; input = inputs[0]) {
    const { block } = head(input)
    block.writeUInt32LE(input.id, packetFields.interfaceId)
    waiting.push(block)
    waitingBytes += block.length
    packets++
    if (waitingBytes >= writeBytes) {
      await write(Buffer.concat(waiting))
      waiting = []
      waitingBytes = 0
    }
    input.at++
    if (input.at < input.blocks.length || (await refill(input))) commit(inputs)
    else inputs.shift()
  }
  await write(Buffer.concat(waiting))
  return packets
}

/** Moves the first input to its place after its packet changed. */
function commit(inputs: MergeInput[]): void {
  const [first, second] = inputs
  if (!first || !second || compare(head(first), head(second)) <= 0) return
  let [low, high] = [1, inputs.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(head(inputs[middle] as MergeInput), head(first)) <= 0) low = middle + 1
    else high = middle
  }
  inputs.splice(low, 0, first)
  inputs.shift()
}

async function refill(input: MergeInput): Promise<boolean> {
  const { done, value } = await input.batches.next()
  if (done) return false
  input.blocks = value
  input.at = 0
  return true
}

async function* blocksOf(files: readonly string[]): AsyncGenerator<TimedBlock[]> {
  try {
    for (const file of files) yield* readPacketBlocks(file)
  } catch (error) {
    throw error instanceof ExpectedError
      ? new CommandFailure('failed', error.message, error)
      : error
  }
}

function head({ blocks, at }: MergeInput): TimedBlock {
  return blocks[at] as TimedBlock
}

function compare(a: TimedBlock, b: TimedBlock): number {
  return a.high - b.high || a.low - b.low
}

function withoutTime(file: string): string {
  return file.replace(/\.pcap(ng)?$/, '').replace(/-\d{8}T\d{6}\.\d{3}Z$/, '')
}
