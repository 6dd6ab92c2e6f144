import { createPrivateKey, X509Certificate } from 'node:crypto'
import test from 'ava'
import { makeCertificateInChild } from '../../../src/auth/certificateInChild.ts'
import { fingerprintOf } from '../../../src/auth/selfSignedCertificate.ts'

test('makeCertificateInChild() gives a key, its certificate and the fingerprint, of another key each time', async t => {
  const [one, other] = await Promise.all([
    makeCertificateInChild('node-0'),
    makeCertificateInChild('node-0'),
  ])
  const certificate = new X509Certificate(one.cert)
  t.is(certificate.subject, 'CN=node-0')
  t.true(certificate.checkPrivateKey(createPrivateKey(one.key)))
  t.is(one.fingerprint, fingerprintOf(certificate))
  t.not(one.fingerprint, other.fingerprint)
})
