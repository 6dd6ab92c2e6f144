// The pinned keys of an SSH server. In: lines of a known_hosts file, or fingerprints, from the
// Secret. Out: a check of a server's key. Refuses a Secret without either, because an unpinned
// server can be impersonated. Ignores lines of certificate authorities.
import { createHash, createHmac } from 'node:crypto'
import type { SftpTarget } from '../../model/output.ts'
import { plainHost } from '../destinationPolicy.ts'
import { permanentError, type SecretValues } from '../store.ts'

export type HostKeys = {
  readonly isKnown: (key: Buffer) => boolean
  /** For the negotiation, so that the server shows a pinned key. undefined: any. */
  readonly algorithms: readonly string[] | undefined
  readonly expected: string
}

export function readHostKeys(secret: SecretValues, target: SftpTarget): HostKeys {
  const field = `Secret "${target.secretName}"`
  const prints = (secret['sftp-host-fingerprint'] ?? '').split(/[\s,]+/).filter(text => text !== '')
  const odd = prints.find(text => !/^SHA256:[A-Za-z0-9+/]{43}=?$/.test(text))
  if (odd)
    throw permanentError(
      `Cannot use sftp-host-fingerprint of ${field}: expected "SHA256:" and 43 characters, as ssh-keygen -l shows it`,
    )
  const lines = (secret['sftp-known-hosts'] ?? '')
    .split('\n')
    .flatMap(line => linesFor(line, target))
  const known = lines.filter(({ isRevoked }) => !isRevoked).map(({ key }) => key)
  const revoked = lines.filter(({ isRevoked }) => isRevoked).map(({ key }) => key)
  if (prints.length === 0 && known.length === 0)
    throw permanentError(
      `Cannot use ${field}: expected sftp-known-hosts with a line for "${nameOf(target)}", or sftp-host-fingerprint`,
    )
  const isPinned = (key: Buffer) =>
    known.some(each => each.equals(key)) ||
    prints.some(print => print.replace(/=$/, '') === fingerprint(key))
  return {
    isKnown: key => isPinned(key) && !revoked.some(each => each.equals(key)),
    algorithms:
      prints.length > 0 ? undefined : [...new Set(known.flatMap(key => algorithmsOf(typeOf(key))))],
    expected: [...known.map(fingerprint), ...prints].join(' or '),
  }
}

/** As ssh-keygen shows it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

/** The type that the key names: its length, then the text. */
export function typeOf(key: Buffer): string {
  return key.length < 4 ? '' : key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1')
}

/** The signature algorithms of a key's type, without the one that uses SHA-1. */
function algorithmsOf(type: string): string[] {
  return type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]
}

function linesFor(
  line: string,
  target: SftpTarget,
): { readonly key: Buffer; readonly isRevoked: boolean }[] {
  const words = line.trim().split(/\s+/)
  const marker = words[0]?.startsWith('@') ? words.shift() : undefined
  const [hosts = '', type = '', base64 = ''] = words
  if (hosts === '' || hosts.startsWith('#') || marker === '@cert-authority') return []
  const key = Buffer.from(base64, 'base64')
  return typeOf(key) === type && isForHost(hosts, nameOf(target))
    ? [{ key, isRevoked: marker === '@revoked' }]
    : []
}

function nameOf({ host, port }: SftpTarget): string {
  return port === 22 ? plainHost(host) : `[${plainHost(host)}]:${port}`
}

function isForHost(hosts: string, name: string): boolean {
  const [, , salt, hash] = /^\|1\|/.test(hosts) ? hosts.split('|') : []
  if (salt !== undefined)
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
  const patterns = hosts.toLowerCase().split(',')
  if (patterns.some(pattern => pattern.startsWith('!') && fits(pattern.slice(1), name)))
    return false
  return patterns.some(pattern => fits(pattern, name))
}

/** `*` and `?`, as in known_hosts. */
function fits(pattern: string, name: string): boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${source}$`).test(name)
}
