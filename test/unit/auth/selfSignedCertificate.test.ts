// What an agent's certificate says, and the fingerprint that clients pin.
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import test from 'ava'
import { fingerprintOf, makeCertificate } from '../../../src/auth/selfSignedCertificate.ts'

test('makeCertificate() makes a key and a certificate that signs itself, for names and addresses', async t => {
  const { key, cert } = await makeCertificate('selcap-agent', [
    'node-1.example.org',
    '192.0.2.1',
    '2001:db8::1',
  ])
  const certificate = new X509Certificate(cert)
  t.true(certificate.checkPrivateKey(createPrivateKey(key)))
  t.true(certificate.verify(certificate.publicKey))
  t.is(certificate.subject, 'CN=selcap-agent')
  t.is(
    certificate.subjectAltName,
    'DNS:node-1.example.org, IP Address:192.0.2.1, IP Address:2001:DB8:0:0:0:0:0:1',
  )
  t.is(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
})

test('makeCertificate() makes a certificate of a server alone: no authority, no client', async t => {
  const certificate = new X509Certificate((await makeCertificate('selcap-agent', [])).cert)
  t.false(certificate.ca)
  t.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'])
  t.is(certificate.subjectAltName, undefined)
})

test('makeCertificate() makes a certificate that is valid an hour ago already, and for 825 days', async t => {
  const beforeMs = Date.now()
  const { validFromDate, validToDate } = new X509Certificate(
    (await makeCertificate('selcap-agent', [])).cert,
  )
  t.true(
    Math.abs(validFromDate.getTime() - (beforeMs - 3_600_000)) < 60_000,
    validFromDate.toISOString(),
  )
  t.true(
    Math.abs(validToDate.getTime() - (beforeMs + 825 * 86_400_000)) < 60_000,
    validToDate.toISOString(),
  )
})

test('fingerprintOf() is the SHA-256 of the whole certificate, the same as makeCertificate() gives, and another one each time', async t => {
  const [one, other] = await Promise.all([
    makeCertificate('selcap-agent', []),
    makeCertificate('selcap-agent', []),
  ])
  const certificate = new X509Certificate(one.cert)
  t.is(one.fingerprint, createHash('sha256').update(certificate.raw).digest('hex'))
  t.is(fingerprintOf(certificate), one.fingerprint)
  t.not(one.fingerprint, other.fingerprint)
})
