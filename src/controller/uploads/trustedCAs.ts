// Logs at start-up which extra CAs the stores' certificates may come from. Node reads
// NODE_EXTRA_CA_CERTS itself, and does not report a file without a certificate.
import { getCACertificates } from 'node:tls'
import type { Logger } from '../../runtime/log.ts'

export function logTrustedCAs(
  log: Pick<Logger, 'info' | 'warn'>,
  file = process.env.NODE_EXTRA_CA_CERTS,
): void {
  if (file === undefined) return
  const certificates = getCACertificates('extra').length
  if (certificates > 0) log.info({ file, certificates }, 'authorities of stores trusted')
  else log.warn({ file }, 'no authority of stores trusted: found no certificate in PEM')
}
