// Errors of SSH and SFTP as text. In: an error of the library. Out: a StoreError with the
// protocol's own words, never with the server's message, which may hold anything.
import type { SftpTarget } from '../../model/output.ts'
import { networkError } from '../errorText.ts'
import { permanentError, StoreError } from '../store.ts'

/** SSH_FX_…, of the drafts that servers implement. */
export const status = {
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  unsupported: 8,
} as const

const words: Readonly<Record<number, string>> = {
  [status.noSuchFile]: 'no such file',
  [status.permissionDenied]: 'permission denied',
  [status.failure]: 'failure',
  5: 'bad message',
  6: 'no connection',
  7: 'connection lost',
  [status.unsupported]: 'not supported',
}

export function statusOf(error: unknown): number | undefined {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === 'number' ? code : undefined
}

export function sftpError(error: unknown, { host, path, secretName }: SftpTarget): StoreError {
  const code = statusOf(error)
  if (code === status.permissionDenied)
    return permanentError(
      `the server says "permission denied": expected that the user may write to sftp.path "${path ?? ''}"`,
    )
  if (code !== undefined) return new StoreError(`the server says "${words[code] ?? code}"`)
  const { level } = error as { readonly level?: string }
  if (level === 'client-authentication')
    return permanentError(
      `"${host}" does not let us in: expected sftp-username with sftp-password or sftp-private-key in Secret "${secretName}" that it knows`,
    )
  if (level === 'handshake' || level === 'protocol')
    return new StoreError('the server and we found no common way to talk SSH')
  return networkError(error) ?? new StoreError('the connection was lost')
}
