// One connection to an SFTP server. In: a target, its Secret and the administrator's policy. Out: a
// session with requests, each with a time limit, that ends with the connection. Refuses a server
// whose key is not pinned before it sends a secret.
import ssh2, { type SFTPWrapper } from 'ssh2'
import type { SftpTarget } from '../../model/output.ts'
import type { DestinationPolicy } from '../destinationPolicy.ts'
import { guardedSocket, type Resolve } from '../egressGuard.ts'
import { permanentError, type RetryEffort, type SecretValues, StoreError } from '../store.ts'
import { fingerprint, type HostKeys, readHostKeys, typeOf } from './hostKeys.ts'

export type Login = {
  readonly username: string
  readonly password?: string
  readonly privateKey?: Buffer
  readonly passphrase?: string
}
export type SftpAccess = { readonly login: Login; readonly hostKeys: HostKeys }

export type SftpSessionDeps = {
  readonly target: SftpTarget
  readonly access: SftpAccess
  readonly policy: DestinationPolicy
  readonly effort: Pick<RetryEffort, 'requestMs'>
  readonly resolve?: Resolve | undefined
}

/** Throws a StoreError that names what is missing or unusable. */
export function readAccess(secret: SecretValues, target: SftpTarget): SftpAccess {
  const field = `Secret "${target.secretName}"`
  const username = secret['sftp-username']?.trim()
  const password = secret['sftp-password']?.replace(/\r?\n$/, '')
  const privateKey = secret['sftp-private-key']
  const passphrase = secret['sftp-passphrase']?.replace(/\r?\n$/, '')
  if (!username) throw permanentError(`Cannot use ${field}: expected the key sftp-username`)
  if (!password && !privateKey)
    throw permanentError(`Cannot use ${field}: expected the key sftp-password or sftp-private-key`)
  if (privateKey && ssh2.utils.parseKey(privateKey, passphrase) instanceof Error)
    throw permanentError(
      `Cannot use sftp-private-key of ${field}: expected a private key of OpenSSH or PEM, with sftp-passphrase if it has one`,
    )
  const hostKeys = readHostKeys(secret, target)
  const key = privateKey ? { privateKey: Buffer.from(privateKey) } : {}
  return {
    hostKeys,
    login: { username, ...(password && { password }), ...key, ...(passphrase && { passphrase }) },
  }
}

export class SftpSession implements Disposable {
  readonly #client = new ssh2.Client().setMaxListeners(0) // one for each waiting request
  readonly #requestMs: number
  #sftp: SFTPWrapper | undefined
  #ended: Error | undefined

  private constructor({ effort }: SftpSessionDeps) {
    this.#requestMs = effort.requestMs
  }

  static async open(deps: SftpSessionDeps, signal: AbortSignal): Promise<SftpSession> {
    const session = new SftpSession(deps)
    try {
      await session.#connect(deps, signal)
      session.#sftp = await session.#within<SFTPWrapper>(done => session.#client.sftp(done))
      return session
    } catch (error) {
      session[Symbol.dispose]()
      throw error
    }
  }

  get isOpen(): boolean {
    return this.#ended === undefined
  }

  /** One request, which calls `done` with an error or its result. */
  request<T>(
    request: (
      sftp: SFTPWrapper,
      done: (error: Error | null | undefined, result?: T) => void,
    ) => void,
  ): Promise<T> {
    const sftp = this.#sftp
    if (!sftp) throw new StoreError('the connection was lost')
    return this.#within<T>(done => request(sftp, done))
  }

  [Symbol.dispose](): void {
    this.#ended ??= new StoreError('the connection was closed')
    this.#client.end()
    this.#client.destroy()
  }

  async #connect(
    { target, access, policy, resolve }: SftpSessionDeps,
    signal: AbortSignal,
  ): Promise<void> {
    const { host, port } = target
    const { login, hostKeys } = access
    const sock = await guardedSocket(host, port, { policy, signal, ...(resolve && { resolve }) })
    let refused: StoreError | undefined // why the verifier refused the key
    const client = this.#client
    client.on('close', () => {
      this.#ended ??= new StoreError('the connection was lost')
    })
    await this.#within<void>(done => {
      client
        .once('ready', () => done(null))
        .on('error', error => {
          this.#ended ??= refused ?? error
          done(refused ?? error)
        })
      client.connect({
        sock,
        ...login,
        ...(hostKeys.algorithms && { algorithms: { serverHostKey: hostKeys.algorithms as [] } }),
        hostVerifier: (key: Buffer) => {
          if (hostKeys.isKnown(key)) return true
          refused = permanentError(
            `"${host}" shows the ${typeOf(key)} key ${fingerprint(key)}, expected ${hostKeys.expected}`,
          )
          return false
        },
        readyTimeout: 30_000,
        keepaliveInterval: 15_000,
        keepaliveCountMax: 4,
      })
    })
  }

  #within<T>(
    request: (done: (error: Error | null | undefined, result?: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => end(new StoreError(`no answer within ${this.#requestMs / 1_000} s`)),
        this.#requestMs,
      )
      const lost = () => end(this.#ended ?? new StoreError('the connection was lost'))
      const end = (error: unknown, result?: T) => {
        clearTimeout(timer)
        this.#client.off('close', lost)
        if (error) reject(error)
        else resolve(result as T)
      }
      this.#client.once('close', lost)
      if (this.#ended) return lost()
      try {
        request(end)
      } catch (error) {
        end(error)
      }
    })
  }
}
