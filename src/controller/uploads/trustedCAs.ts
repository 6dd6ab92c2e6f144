// Says at the start which authorities stores may have beside those that every system knows: Node reads the file itself, and says
// nothing of one that holds no certificate.
import { getCACertificates } from 'node:tls'
import type { Logger } from '../../runtime/log.ts'

export function logTrustedCAs(log: Pick<Logger, 'info' | 'warn'>, file = process.env.NODE_EXTRA_CA_CERTS): void {
  if (file === undefined) return
  const certificates = getCACertificates('extra').length
  if (certificates > 0) log.info({ file, certificates }, 'authorities of stores trusted')
  else log.warn({ file }, 'no authority of stores trusted: found no certificate in PEM')
}
