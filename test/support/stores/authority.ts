// A certificate authority of a test's own, which nobody trusts unless told to. In: names and days
// of a certificate. Out: files as servers want them. Everything is gone with the test.
//   const authority = await makeAuthority(t)
//   const certificate = await authority.issue({ names: ['127.0.0.1'] })
//   { NODE_EXTRA_CA_CERTS: authority.file }        a process that trusts it

import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import type { Scope } from '../net/namespace.ts'

export type CertificateFiles = { readonly cert: string; readonly key: string }
export type Wish = {
  readonly names?: readonly string[]
  readonly fromDay?: number
  readonly toDay?: number
}

const dayMs = 86_400_000
const elliptic = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const

export class Authority {
  /** Its certificate, in PEM. */
  readonly file: string
  readonly #directory: string
  readonly #signer: { readonly key: string; readonly cert: string }
  #issued = 0

  constructor(directory: string, signer: { readonly key: string; readonly cert: string }) {
    this.#directory = directory
    this.#signer = signer
    this.file = join(directory, 'authority.pem')
    writeFileSync(this.file, signer.cert)
  }

  /**
   * Good for these names and addresses, from yesterday until tomorrow unless the wish says
   * otherwise.
   */
  async issue({
    names = ['127.0.0.1'],
    fromDay = -1,
    toDay = 1,
  }: Wish = {}): Promise<CertificateFiles> {
    const altNames = names.map(name =>
      /^[\d.]+$/.test(name)
        ? ({ type: 7, ip: name } as const)
        : ({ type: 2, value: name } as const),
    )
    const made = await generate([{ name: 'commonName', value: 'store of a test' }], {
      ...elliptic,
      ...within(fromDay, toDay),
      ca: this.#signer,
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'keyUsage', digitalSignature: true },
        { name: 'extKeyUsage', serverAuth: true },
        { name: 'subjectAltName', altNames },
      ],
    })
    const base = join(this.#directory, `${this.#issued++}`)
    const files = { cert: `${base}.crt`, key: `${base}.key` }
    writeFileSync(files.cert, made.cert)
    writeFileSync(files.key, made.private, { mode: 0o600 })
    return files
  }
}

export async function makeAuthority(scope: Scope): Promise<Authority> {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-authority-'))
  scope.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const { private: key, cert } = await generate(
    [{ name: 'commonName', value: `authority ${randomUUID()}` }],
    {
      ...elliptic,
      ...within(-400, 400),
      extensions: [
        { name: 'basicConstraints', cA: true, critical: true },
        { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
      ],
    },
  )
  return new Authority(directory, { key, cert })
}

function within(
  fromDay: number,
  toDay: number,
): { readonly notBeforeDate: Date; readonly notAfterDate: Date } {
  return {
    notBeforeDate: new Date(Date.now() + fromDay * dayMs),
    notAfterDate: new Date(Date.now() + toDay * dayMs),
  }
}
