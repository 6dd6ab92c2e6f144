// File operations of an upload on an SFTP server, over one session. Reads and writes 32 KiB a
// request, thirty-two requests at a time: fast over a long distance, in one mebibyte of memory.
import { createHash } from 'node:crypto'
import { StoreError } from '../store.ts'
import { status, statusOf } from './errors.ts'
import type { SftpSession } from './session.ts'

const requestBytes = 32_768 // what every server takes
const batchBytes = 32 * requestBytes

/** The file's length; undefined: it does not exist. */
export async function fileSize(session: SftpSession, path: string): Promise<number | undefined> {
  try {
    const { size } = await session.request<{ readonly size: number }>((sftp, done) =>
      sftp.stat(path, done),
    )
    return size
  } catch (error) {
    if (statusOf(error) === status.noSuchFile) return undefined
    throw error
  }
}

/** Makes a directory and those above it. */
export async function makeFolders(session: SftpSession, path: string): Promise<void> {
  const names = path.split('/').filter(name => name !== '' && name !== '.')
  const folders = names.map(
    (_, index) => `${path.startsWith('/') ? '/' : ''}${names.slice(0, index + 1).join('/')}`,
  )
  for (const folder of folders) {
    if ((await fileSize(session, folder)) !== undefined) continue
    await session
      .request<void>((sftp, done) => sftp.mkdir(folder, done))
      .catch(async error => {
        if ((await fileSize(session, folder)) === undefined) throw error // unless another upload made it meanwhile
      })
  }
}

export type FileWrite = {
  readonly chunks: AsyncIterable<Uint8Array>
  readonly from: number
  readonly isNew: boolean
  /** Called with the file's length so far. */
  readonly onBytes: (bytes: number) => void
}

/** Writes from an offset on, and truncates the file behind it. */
export async function writeFrom(
  session: SftpSession,
  path: string,
  { chunks, from, isNew, onBytes }: FileWrite,
): Promise<void> {
  const handle = await session.request<Buffer>((sftp, done) =>
    sftp.open(path, isNew ? 'w' : 'r+', 0o600, done),
  )
  try {
    let at = from
    for await (const batch of batches(chunks)) {
      await Promise.all(
        pieces(batch.length).map(([start, length]) =>
          session.request<void>((sftp, done) =>
            sftp.write(handle, batch, start, length, at + start, done),
          ),
        ),
      )
      at += batch.length
      onBytes(at)
    }
    await session.request<void>((sftp, done) => sftp.fsetstat(handle, { size: at }, done))
    await session
      .request<void>((sftp, done) => sftp.ext_openssh_fsync(handle, done))
      .catch(() => {}) // not every server has it; readBack() compares what was written
  } finally {
    await session.request<void>((sftp, done) => sftp.close(handle, done)).catch(() => {}) // of a lost connection: the server closes it
  }
}

/** Length and checksum of what the server has. */
export async function readBack(
  session: SftpSession,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const handle = await session.request<Buffer>((sftp, done) => sftp.open(path, 'r', done))
  try {
    const { size } = await session.request<{ readonly size: number }>((sftp, done) =>
      sftp.fstat(handle, done),
    )
    const hash = createHash('sha256')
    const batch = Buffer.allocUnsafeSlow(Math.min(size, batchBytes))
    for (let at = 0; at < size; at += batch.length) {
      signal.throwIfAborted()
      const length = Math.min(batch.length, size - at)
      await Promise.all(
        pieces(length).map(([start, bytes]) =>
          readFully(session, handle, { batch, start, bytes, at: at + start }),
        ),
      )
      hash.update(batch.subarray(0, length))
    }
    return { bytes: size, sha256: hash.digest('hex') }
  } finally {
    await session.request<void>((sftp, done) => sftp.close(handle, done)).catch(() => {}) // as above: all bytes are read
  }
}

/** Renames over an existing file. Servers without OpenSSH's rename refuse a name that exists. */
export async function renameReplace(session: SftpSession, from: string, to: string): Promise<void> {
  try {
    await session.request<void>((sftp, done) => sftp.ext_openssh_rename(from, to, done))
  } catch (error) {
    if (!session.isOpen) throw error
    await session.request<void>((sftp, done) => sftp.unlink(to, done)).catch(() => {}) // mostly there is none; else rename() says why it fails
    await session.request<void>((sftp, done) => sftp.rename(from, to, done))
  }
}

/**
 * The error of a failed write if the disk is full and the server can report it; the protocol itself
 * says only "failure".
 */
export async function diskFullError(
  session: SftpSession,
  folder: string,
  bytes: number,
): Promise<StoreError | undefined> {
  if (!session.isOpen) return undefined
  type Space = {
    readonly f_bavail?: number | bigint
    readonly f_frsize?: number | bigint
    readonly f_bsize?: number | bigint
  }
  const space = await session
    .request<Space>((sftp, done) => sftp.ext_openssh_statvfs(folder, done))
    .catch(() => undefined)
  if (space?.f_bavail === undefined) return undefined
  const free = Number(space.f_bavail) * Number(space.f_frsize ?? space.f_bsize ?? 0)
  return free < bytes
    ? new StoreError(`the server has no room: ${free} bytes are free, expected ${bytes}`)
    : undefined
}

async function readFully(
  session: SftpSession,
  handle: Buffer,
  {
    batch,
    start,
    bytes,
    at,
  }: {
    readonly batch: Buffer
    readonly start: number
    readonly bytes: number
    readonly at: number
  },
): Promise<void> {
  for (let got = 0; got < bytes; ) {
    const read = await session.request<number>((sftp, done) =>
      sftp.read(handle, batch, start + got, bytes - got, at + got, done),
    )
    if (!read) throw new StoreError('the file on the server ended early')
    got += read
  }
}

/** The places of requests within a batch. */
function pieces(bytes: number): (readonly [start: number, length: number])[] {
  return Array.from({ length: Math.ceil(bytes / requestBytes) }, (_, index) => {
    const start = index * requestBytes
    return [start, Math.min(requestBytes, bytes - start)] as const
  })
}

async function* batches(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const batch = Buffer.allocUnsafeSlow(batchBytes)
  let filled = 0
  for await (const chunk of chunks) {
    for (let rest = chunk; rest.length > 0; ) {
      const taken = rest.subarray(0, batchBytes - filled)
      batch.set(taken, filled)
      filled += taken.length
      rest = rest.subarray(taken.length)
      if (filled < batchBytes) continue
      yield batch // written when the next one is asked for
      filled = 0
    }
  }
  if (filled > 0) yield batch.subarray(0, filled)
}
