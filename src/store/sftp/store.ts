// Files to an SFTP server: written as `NAME.part`, read back and compared, then renamed. In: a key
// and a source. Out: the URL, the length and the SHA-256 of the file. A `.part` of a broken upload
// is resumed; the comparison finds a wrong one, which is written anew. Reading back transfers the
// file a second time, because OpenSSH has no checksums. Refuses as a value what the server refused.
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import type { SftpTarget } from '../../model/output.ts'
import { plainHost } from '../destinationPolicy.ts'
import { toFailure } from '../errorText.ts'
import { readSteadily } from '../multipart.ts'
import { storeKey } from '../objectKey.ts'
import { type Attempts, attempt } from '../retry.ts'
import {
  type FileSource,
  type FoundObject,
  type SecretValues,
  type Store,
  type StoredFile,
  StoreError,
  type StoreFailure,
} from '../store.ts'
import {
  diskFullError,
  fileSize,
  makeFolders,
  readBack,
  renameReplace,
  writeFrom,
} from './files.ts'
import { SftpSession, type SftpSessionDeps } from './session.ts'

export type SftpStoreDeps = {
  readonly target: SftpTarget
  readonly secret: SecretValues
  readonly session: SftpSessionDeps
  readonly attempts: Attempts
}

const overlapBytes = 1024 * 1024 // written again on resuming: a server may have written the last requests in any order
const longestMs = 2 ** 31 - 1 // an upload has no time limit; each request has one (SftpSession)

export class SftpStore implements Store {
  readonly #deps: SftpStoreDeps
  readonly #attempts: Attempts
  #session: SftpSession | undefined

  constructor(deps: SftpStoreDeps) {
    this.#deps = deps
    this.#attempts = { ...deps.attempts, effort: { ...deps.attempts.effort, requestMs: longestMs } }
  }

  async put(
    key: string,
    source: FileSource,
    signal: AbortSignal,
  ): Promise<StoredFile | StoreFailure> {
    try {
      const name = this.#nameOf(key)
      const progress = { bytes: 0, isDistrusted: false }
      for (;;) {
        const before = progress.bytes
        try {
          return await this.#try(signal, session =>
            this.#send(session, name, { source, progress, signal }),
          )
        } catch (error) {
          if (!(error instanceof StoreError) || error.isFinal || progress.bytes <= before)
            throw error // an upload that advances on each connection will end
        }
      }
    } catch (error) {
      return this.#failure(error, `Cannot upload "${key}"`, signal)
    }
  }

  async head(
    key: string,
    signal: AbortSignal,
  ): Promise<{ readonly ok: true; readonly found?: FoundObject } | StoreFailure> {
    try {
      const bytes = await this.#try(signal, session => fileSize(session, this.#nameOf(key)))
      return { ok: true, ...(bytes !== undefined && { found: { bytes } }) }
    } catch (error) {
      return this.#failure(error, `Cannot look for "${key}"`, signal)
    }
  }

  async discard(key: string, signal: AbortSignal): Promise<{ readonly ok: true } | StoreFailure> {
    try {
      const part = `${this.#nameOf(key)}.part`
      await this.#try(signal, async session => {
        if ((await fileSize(session, part)) !== undefined)
          await session.request<void>((sftp, done) => sftp.unlink(part, done))
      })
      return { ok: true }
    } catch (error) {
      return this.#failure(error, `Cannot remove what is left of "${key}"`, signal)
    }
  }

  close(): void {
    this.#session?.[Symbol.dispose]()
  }

  async #send(
    session: SftpSession,
    name: string,
    { source, progress, signal }: FileUpload,
  ): Promise<StoredFile> {
    const part = `${name}.part`
    const known =
      source.sha256 !== undefined && source.bytes !== undefined
        ? { bytes: source.bytes, sha256: source.sha256 }
        : undefined
    if (
      known &&
      (await fileSize(session, name)) === known.bytes &&
      (await readBack(session, name, signal)).sha256 === known.sha256
    )
      return this.#stored(session, name, known)
    await makeFolders(session, posix.dirname(name))
    const there = progress.isDistrusted ? 0 : ((await fileSize(session, part)) ?? 0)
    const from =
      there <= (source.bytes ?? Number.POSITIVE_INFINITY) ? Math.max(0, there - overlapBytes) : 0
    const sent = await this.#write(session, part, { source, progress, signal, from })
    const found = await readBack(session, part, signal)
    if (found.bytes !== sent.bytes || found.sha256 !== sent.sha256) {
      progress.isDistrusted = true // the .part was another file's, or the server lost bytes
      throw new StoreError(
        `the server has ${found.bytes} bytes with the SHA-256 ${found.sha256}, expected ${sent.bytes} with ${sent.sha256}`,
      )
    }
    await renameReplace(session, part, name)
    return this.#stored(session, name, sent)
  }

  /** Writes from an offset on. The bytes before are read only if the checksum is not known. */
  async #write(
    session: SftpSession,
    part: string,
    { source, progress, signal, from }: FileUpload & { readonly from: number },
  ) {
    const hash = source.sha256 === undefined ? createHash('sha256') : undefined
    const start = hash ? 0 : from
    let at = start
    const chunks = async function* (attempts: Attempts) {
      for await (const chunk of readSteadily(source, start, attempts, signal)) {
        hash?.update(chunk)
        const begins = at
        at += chunk.length
        if (at > from) yield chunk.subarray(Math.max(0, from - begins))
      }
    }
    const onBytes = (bytes: number) => {
      progress.bytes = Math.max(progress.bytes, bytes)
    }
    await writeFrom(session, part, {
      chunks: chunks(this.#attempts),
      from,
      isNew: from === 0,
      onBytes,
    }).catch(async error => {
      throw (
        (await diskFullError(
          session,
          posix.dirname(part),
          (source.bytes ?? at) - progress.bytes,
        )) ?? error
      )
    })
    return { bytes: at, sha256: source.sha256 ?? hash?.digest('hex') ?? '' }
  }

  async #stored(
    session: SftpSession,
    name: string,
    { bytes, sha256 }: { readonly bytes: number; readonly sha256: string },
  ): Promise<StoredFile> {
    const { host, port } = this.#deps.target
    const path = await session.request<string>((sftp, done) => sftp.realpath(name, done))
    const place = `${plainHost(host).includes(':') ? `[${plainHost(host)}]` : plainHost(host)}${port === 22 ? '' : `:${port}`}`
    return {
      ok: true,
      url: `sftp://${place}${path.split('/').map(encodeURIComponent).join('/')}`,
      bytes,
      sha256,
    }
  }

  #try<T>(signal: AbortSignal, request: (session: SftpSession) => Promise<T>): Promise<T> {
    return attempt(this.#attempts, signal, async abort => {
      if (!this.#session?.isOpen) this.#session = await SftpSession.open(this.#deps.session, abort)
      const session = this.#session
      const stop = () => session[Symbol.dispose]() // ends the running request
      abort.addEventListener('abort', stop, { once: true })
      try {
        return await request(session)
      } finally {
        abort.removeEventListener('abort', stop)
      }
    })
  }

  /** Relative to the login directory unless the path begins with a slash. */
  #nameOf(key: string): string {
    const { path } = this.#deps.target
    return `${path?.startsWith('/') ? '/' : ''}${storeKey(path, key)}`
  }

  #failure(error: unknown, doing: string, signal: AbortSignal): StoreFailure {
    const { target, secret } = this.#deps
    return toFailure(error, `${doing} at sftp.host "${target.host}"`, signal, secret)
  }
}

type FileUpload = {
  readonly source: FileSource
  readonly progress: { bytes: number; isDistrusted: boolean }
  readonly signal: AbortSignal
}
