// Makes a key and a self-signed certificate. In: a common name, host names and addresses. Out:
// both as PEM, and the fingerprint that clients pin. Agents make theirs at start.
import { X509Certificate } from 'node:crypto'

export type Certificate = {
  readonly key: string
  readonly cert: string
  readonly fingerprint: string
}

const days = 825 // common clients accept no longer validity; a restart makes a new certificate

/** `names` become the subjectAltName; clients that pin the fingerprint do not check them. */
export async function makeCertificate(
  commonName: string,
  names: readonly string[],
): Promise<Certificate> {
  const altNames = names.map(name =>
    /^[\d.]+$|:/.test(name)
      ? ({ type: 7, ip: name } as const)
      : ({ type: 2, value: name } as const),
  )
  const { generate } = await import('selfsigned') // a large module that few runs need
  const { private: key, cert } = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 3_600_000), // tolerates a client whose clock is behind
    notAfterDate: new Date(Date.now() + days * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true },
      { name: 'extKeyUsage', serverAuth: true },
      ...(altNames.length > 0 ? [{ name: 'subjectAltName' as const, altNames }] : []),
    ],
  })
  return { key, cert, fingerprint: fingerprintOf(new X509Certificate(cert)) }
}

/** The SHA-256 of the whole certificate: 64 hexadecimal digits. */
export function fingerprintOf({ fingerprint256 }: Pick<X509Certificate, 'fingerprint256'>): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}
