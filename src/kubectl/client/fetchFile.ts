// Downloads one file of a capture. In: the gateway's path, the target. Out: the file under its
// name, after its checksum was compared with the gateway's. Until then it is a part beside the
// target, and a later run resumes it. An equal file is not fetched again. Refuses a file whose
// checksum differs, and removes it.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { basename, dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as after } from 'node:timers/promises'
import { doubledMs } from '../../model/backoff.ts'
import { CommandFailure, ExpectedError } from '../../model/errors.ts'
import { fittingName, replaceFile } from '../../runtime/atomicWrite.ts'
import { makeDirectory } from '../../runtime/makeDirectory.ts'
import { failureOf, type Gateway } from './gateway.ts'

export type Fetch = {
  readonly gateway: Gateway
  readonly path: string
  readonly target: string
  readonly signal: AbortSignal
  /** Bytes on this disk; fewer than before when the download had to start again. */
  readonly onBytes: (bytes: number) => void
  readonly onRetry?: (reason: string) => void
  readonly stallMs?: number
}

export type Fetched = { readonly bytes: number; readonly sha256: string; readonly isNew: boolean }

type PartFile = { readonly etag: string; readonly digest: string; readonly bytes: number }

const stallMsMax = 120_000 // the agent hashes the whole of a large file before it answers
const fruitlessMax = 5 // attempts in a row without a byte
const retryDelayMs = { first: 500, most: 10_000 } as const

export async function fetchFile(fetch: Fetch): Promise<Fetched> {
  await makeDirectory(dirname(fetch.target))
  const existing = await unchanged(fetch)
  if (existing) return existing
  for (let fruitless = 0; ; ) {
    const beforeBytes = (await partOf(fetch.target))?.here ?? 0
    try {
      return await attempt(fetch)
    } catch (error) {
      if (fetch.signal.aborted || !isRetryableError(error)) throw error
      fruitless = ((await partOf(fetch.target))?.here ?? 0) > beforeBytes ? 0 : fruitless + 1
      const { message } = error as Error
      if (fruitless === fruitlessMax)
        throw new CommandFailure('failed', `Cannot download ${fetch.path}: ${message}`, error)
      fetch.onRetry?.(message)
      await after(doubledMs(fruitless + 1, retryDelayMs), undefined, { signal: fetch.signal })
    }
  }
}

/** Ends when no byte comes for too long: a dead connection gives no error. */
async function attempt(fetch: Fetch): Promise<Fetched> {
  const { stallMs = stallMsMax } = fetch
  const stall = new AbortController()
  const timer = setTimeout(
    () => stall.abort(new BrokenOff(`nothing came for ${stallMs / 1_000} s`)),
    stallMs,
  )
  try {
    const part = await receive(
      { ...fetch, signal: AbortSignal.any([fetch.signal, stall.signal]) },
      () => timer.refresh(),
    )
    return await finish(fetch.target, part)
  } catch (error) {
    throw stall.signal.aborted && !fetch.signal.aborted ? stall.signal.reason : error
  } finally {
    clearTimeout(timer)
  }
}

async function receive(
  { gateway, path, target, signal, onBytes }: Fetch,
  onChunk: () => void,
): Promise<PartFile> {
  const part = await partOf(target)
  const isMore = part !== undefined && part.here < part.bytes
  const headers: Record<string, string> = isMore
    ? { range: `bytes=${part.here}-`, 'if-range': part.etag }
    : {}
  const response = await gateway.request({ path, headers, signal })
  const isRest = response.statusCode === 206
  if (!isRest && response.statusCode !== 200) throw await failureOf(response, `download ${path}`)
  const from = isRest && part ? part.here : 0
  const now = await remember(target, response, from)
  let bytes = from
  const counter = new Transform({
    transform(chunk: Buffer, _, done) {
      bytes += chunk.length
      onBytes(bytes)
      onChunk()
      done(null, chunk)
    },
  })
  onBytes(from)
  await pipeline(
    response,
    counter,
    createWriteStream(partPath(target), { flags: isRest ? 'a' : 'w', mode: 0o600 }),
    { signal },
  )
  if (bytes < now.bytes) throw new BrokenOff(`it broke off after ${bytes} of ${now.bytes} bytes`)
  return now
}

/** The checksum is of the whole file, whichever bytes came in this run. */
async function finish(target: string, { digest, bytes }: PartFile): Promise<Fetched> {
  const sha256 = await sha256Of(partPath(target))
  if (digest !== '' && digest !== sha256) {
    await Promise.all([rm(partPath(target)), rm(stateOf(target))])
    throw new CommandFailure(
      'incomplete',
      `Cannot trust ${target}: its SHA-256 is ${sha256}, expected ${digest}; it was removed`,
    )
  }
  await replaceFile(partPath(target), target, false) // written over several runs, so atomicWrite() does not fit
  await rm(stateOf(target))
  return { bytes, sha256, isNew: true }
}

async function unchanged({
  gateway,
  path,
  target,
  signal,
  onBytes,
}: Fetch): Promise<Fetched | undefined> {
  const size = await sizeOf(target)
  if (size === undefined) return undefined
  const response = await gateway.request({ path, method: 'HEAD', signal })
  response.resume()
  const sha256 = await sha256Of(target)
  if (response.statusCode !== 200 || digestIn(response) !== sha256) return undefined
  onBytes(size)
  return { bytes: size, sha256, isNew: false }
}

/**
 * The part that an earlier run left, and the version it belongs to. undefined: none that can be
 * resumed.
 */
async function partOf(target: string): Promise<(PartFile & { readonly here: number }) | undefined> {
  const here = await sizeOf(partPath(target))
  if (here === undefined || (await sizeOf(stateOf(target))) === undefined) return undefined
  try {
    return { ...(JSON.parse(await readFile(stateOf(target), 'utf8')) as PartFile), here }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined // a torn state file: the download starts again
    throw error
  }
}

/** undefined: the file does not exist. */
async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(absent))?.size
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}

async function remember(
  target: string,
  response: IncomingMessage,
  from: number,
): Promise<PartFile> {
  const length = Number(response.headers['content-length'])
  const bytes = Number.isNaN(length)
    ? Number(/\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1] ?? 0)
    : from + length
  const part = { etag: response.headers.etag ?? '', digest: digestIn(response), bytes }
  await writeFile(stateOf(target), JSON.stringify(part), { mode: 0o600 })
  return part
}

/** The checksum in hexadecimal; '' if the answer has none. */
function digestIn({ headers }: IncomingMessage): string {
  const [, base64 = ''] =
    /(?:^|[,\s])sha-256=:([A-Za-z0-9+/]+=*):/.exec(String(headers['repr-digest'] ?? '')) ?? []
  return Buffer.from(base64, 'base64').toString('hex')
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

function partPath(target: string): string {
  return join(dirname(target), fittingName(basename(target), '.part'))
}

function stateOf(target: string): string {
  return join(dirname(target), fittingName(basename(target), '.part.json'))
}

class BrokenOff extends ExpectedError {
  override readonly name = 'BrokenOff'
}

// Errors of the gateway or the connection are worth a retry; a refusal or an error of this disk is
// not.
function isRetryableError(error: unknown): boolean {
  if (error instanceof BrokenOff) return true
  if (error instanceof CommandFailure) return error.exitCode === 1
  return [
    'ECONNRESET',
    'ECONNREFUSED',
    'EPIPE',
    'ERR_STREAM_PREMATURE_CLOSE',
    'ETIMEDOUT',
  ].includes((error as NodeJS.ErrnoException).code ?? '')
}
