// A key and a certificate that nobody signed: an agent makes one at its start, and whoever talks to it knows its fingerprint.
import { X509Certificate } from 'node:crypto'

export type Certificate = { readonly key: string; readonly cert: string; readonly fingerprint: string }

const days = 825 // the most that common clients take; a program that runs for longer makes a new one at its next start

/** `names`: host names and addresses it is good for; clients that pin the fingerprint do not look at them. */
export async function makeCertificate(commonName: string, names: readonly string[]): Promise<Certificate> {
  const altNames = names.map(name => (/^[\d.]+$|:/.test(name) ? ({ type: 7, ip: name } as const) : ({ type: 2, value: name } as const)))
  const { generate } = await import('selfsigned') // large, and rarely needed
  const { private: key, cert } = await generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - 3_600_000), // clocks differ
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

/** SHA-256 of the whole certificate: 64 hexadecimal digits. */
export function fingerprintOf({ fingerprint256 }: Pick<X509Certificate, 'fingerprint256'>): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}
