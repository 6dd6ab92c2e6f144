// Lists, reads and removes the files of one capture at one agent. In: the agent's address, the path
// of the files. Out: its answer, checked: an agent may be compromised, and what it lists becomes
// names in archives and stores. Throws when the agent refuses.
import type { IncomingMessage } from 'node:http'
import { ExpectedError } from '../../model/errors.ts'
import { readBounded } from '../../runtime/http.ts'
import { filePath } from '../paths.ts'
import type { CaptureFile, FileList } from '../types.ts'
import type { AgentAddress, Agents } from './agents.ts'

/** A file as it was listed; it may have grown since, or another file may have its name. */
export type FilePresence = {
  readonly place: AgentAddress
  readonly path: string
  readonly file: Pick<CaptureFile, 'name' | 'etag'>
}

export const apiTimeoutMs = 10_000
const listBytesMax = 8_388_608
const readTimeoutMs = 86_400_000
const digestTimeoutMs = 600_000 // a large file is hashed on its node

/** `others`: number of entries that are no capture files. */
export async function listFiles(
  agents: Agents,
  place: AgentAddress,
  path: string,
): Promise<{ readonly files: readonly CaptureFile[]; readonly others: number }> {
  const response = await agents.request(place, { path, signal: AbortSignal.timeout(apiTimeoutMs) })
  if (response.statusCode !== 200)
    throw new ExpectedError(`the agent answered ${response.statusCode}`)
  return readFileList(await readBounded(response, listBytesMax))
}

/** What an agent answered, as JSON. Refuses with ExpectedError what is no list. */
export function readFileList(answer: unknown): {
  readonly files: readonly CaptureFile[]
  readonly others: number
} {
  const { files } = Object(answer) as Partial<FileList>
  if (!Array.isArray(files)) throw new ExpectedError('the agent did not list files')
  const ours = new Map(files.filter(isFile).map(file => [file.name, file]))
  return { files: [...ours.values()], others: files.length - ours.size }
}

/** That version of the file, from that byte on. */
export async function openFile(
  agents: Agents,
  { place, path, file }: FilePresence,
  signal: AbortSignal,
  fromByte = 0,
): Promise<IncomingMessage> {
  const range = fromByte === 0 ? {} : { range: `bytes=${fromByte}-` }
  const asked = { path: filePath(path, file.name), headers: { 'if-match': file.etag, ...range } }
  const answer = await agents.request(place, {
    ...asked,
    signal: AbortSignal.any([signal, AbortSignal.timeout(readTimeoutMs)]),
  })
  if (answer.statusCode === (fromByte === 0 ? 200 : 206)) return answer
  answer.resume()
  throw new ExpectedError(`the agent answered ${answer.statusCode}`)
}

/** The agent's SHA-256 of that file, hexadecimal. */
export async function digestOf(
  agents: Agents,
  { place, path, file }: FilePresence,
  signal: AbortSignal,
): Promise<string> {
  const headers = { 'if-match': file.etag, 'want-repr-digest': 'sha-256=1' }
  const answer = await agents.request(place, {
    method: 'HEAD',
    path: filePath(path, file.name),
    headers,
    signal: AbortSignal.any([signal, AbortSignal.timeout(digestTimeoutMs)]),
    isQuiet: true,
  })
  answer.resume()
  const [, digest] =
    /^sha-256=:([A-Za-z0-9+/]{43}=):$/.exec(String(answer.headers['repr-digest'] ?? '')) ?? []
  if (answer.statusCode !== 200 || digest === undefined)
    throw new ExpectedError(`the agent answered ${answer.statusCode}, and gave no checksum`)
  return Buffer.from(digest, 'base64').toString('hex')
}

/**
 * 204: gone; 409: the agent itself refuses while it captures, since its report may be some seconds
 * old.
 */
export async function removeFiles(
  agents: Agents,
  place: AgentAddress,
  path: string,
): Promise<number | undefined> {
  const answer = await agents.request(place, {
    method: 'DELETE',
    path,
    signal: AbortSignal.timeout(apiTimeoutMs),
  })
  answer.resume()
  return answer.statusCode
}

/** Removes an artifact of that version. 412: the agent has another version. */
export async function removeArtifact(
  agents: Agents,
  { place, path, file }: FilePresence,
): Promise<number | undefined> {
  const asked = { path: filePath(path, file.name), headers: { 'if-match': file.etag } }
  const answer = await agents.request(place, {
    method: 'DELETE',
    ...asked,
    signal: AbortSignal.timeout(apiTimeoutMs),
  })
  answer.resume()
  return answer.statusCode
}

// What it lists becomes names in a zip that people unpack, on any system, lines on their terminals,
// and objects in a store.
function isFile(listed: Partial<CaptureFile> | null): listed is CaptureFile {
  const { name, bytes, etag } = listed ?? {}
  const isNamed =
    typeof name === 'string' &&
    name.length <= 255 &&
    /^\w[\w.@%+=-]*\.(pcap(ng)?|txt|pcap\.gz|txt\.gz|tar\.gz)$/.test(name)
  return (
    isNamed &&
    typeof bytes === 'number' &&
    Number.isSafeInteger(bytes) &&
    bytes >= 0 &&
    typeof etag === 'string' &&
    /^"[\w-]{1,64}"$/.test(etag)
  )
}
