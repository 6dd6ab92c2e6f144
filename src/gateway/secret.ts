// The gateway's own certificate: tls.crt and tls.key of a mounted Secret, read again when they change; a self-signed one where
// there is none.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { watch } from 'chokidar'
import { makeCertificate } from '../access/certificate.ts'
import type { Logger } from '../log.ts'

export type KeyPair = { readonly key: string; readonly cert: string }

const names = { key: 'tls.key', cert: 'tls.crt' } as const

export async function keyPair(directory: string | undefined, hosts: readonly string[], log: Logger): Promise<KeyPair> {
  const found = directory === undefined ? undefined : read(directory)
  if (found) return found
  const { key, cert, fingerprint } = await makeCertificate('selcap-gateway', hosts)
  log.warn({ directory, fingerprint }, 'no certificate given: one of its own is used, which clients cannot check')
  return { key, cert }
}

/** `onChange` gets each new pair. One that is half written is left alone until it is whole. */
export function followKeyPair(directory: string, onChange: (pair: KeyPair) => void): { close(): Promise<void> } {
  return watch(directory, { ignoreInitial: true, depth: 1 }).on('all', () => {
    const pair = read(directory)
    if (pair) onChange(pair)
  })
}

function read(directory: string): KeyPair | undefined {
  try {
    const [key, cert] = [readFileSync(join(directory, names.key), 'utf8'), readFileSync(join(directory, names.cert), 'utf8')]
    return key && cert ? { key, cert } : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
