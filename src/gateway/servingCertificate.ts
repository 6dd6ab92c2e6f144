// The gateway's serving certificate. In: a directory with tls.crt and tls.key, as a Secret is
// mounted. Out: the key pair, now and after every change; a self-signed one where there is none.
// Refuses a key that is not the certificate's: at the start with an error, later it logs and keeps
// the pair it has.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificate } from '../auth/selfSignedCertificate.ts'
import { ExpectedError, osErrorMessage } from '../model/errors.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Logger } from '../runtime/log.ts'
import { singleFlight } from '../runtime/singleFlight.ts'
import { watchPath } from '../runtime/watchPath.ts'

export type KeyPair = { readonly key: string; readonly cert: string }

const names = { key: 'tls.key', cert: 'tls.crt' } as const

export async function keyPair(
  directory: string | undefined,
  hosts: readonly string[],
  log: Logger,
): Promise<KeyPair> {
  const pair = directory === undefined ? undefined : await read(directory)
  if (pair) return pair
  const { key, cert, fingerprint } = await makeCertificate(accounts.gateway, hosts)
  log.warn(
    { directory, fingerprint },
    'no certificate given: one of its own is used, which clients cannot check',
  )
  return { key, cert }
}

/** `onChange` gets each new pair, once both files are written. */
export function followKeyPair(
  directory: string,
  onChange: (pair: KeyPair) => void,
  log: Logger,
): AsyncDisposable {
  let last = ''
  const readAgain = singleFlight(async () => {
    try {
      const pair = await read(directory)
      if (!pair || JSON.stringify(pair) === last) return
      last = JSON.stringify(pair)
      onChange(pair)
    } catch (error) {
      log.error(
        { directory, error: (error as Error).message },
        'certificate not taken: the one before stays',
      )
    }
  })
  return watchPath(directory, {
    how: { depth: 1 },
    onChange: () => void readAgain(),
    onUnwatched: error =>
      log.warn(
        { directory, reason: osErrorMessage(error) },
        'certificate not watched: it is looked at every few seconds',
      ),
  })
}

async function read(directory: string): Promise<KeyPair | undefined> {
  try {
    const [key, cert] = await Promise.all([
      readFile(join(directory, names.key), 'utf8'),
      readFile(join(directory, names.cert), 'utf8'),
    ])
    if (!key || !cert) return undefined
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return { key, cert }
    throw new ExpectedError(
      `Cannot use the certificate in "${directory}": ${names.key} is not its key`,
    )
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
