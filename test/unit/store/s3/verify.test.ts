import { createHash } from 'node:crypto'
import test from 'ava'
import { agreesWith, ofParts } from '../../../../src/store/s3/verify.ts'

const bytes = [Buffer.from('first part'), Buffer.from('last')]
const parts = bytes.map((part, index) => ({
  number: index + 1,
  bytes: part.length,
  sha256: createHash('sha256').update(part).digest('base64'),
  md5: createHash('md5').update(part).digest('hex'),
}))
const expected = ofParts(parts)

test("ofParts() makes S3's composed checksums of the parts' digests", t => {
  const sha256 = createHash('sha256')
  for (const part of bytes) sha256.update(createHash('sha256').update(part).digest())
  t.is(expected.sha256, `${sha256.digest('base64')}-2`)
  t.is(expected.bytes, 14)
  t.regex(expected.etag, /^[0-9a-f]{32}-2$/)
})

test('agreesWith() takes the same length and SHA-256, with the number of parts or without', t => {
  t.is(agreesWith({ ContentLength: 14, ChecksumSHA256: expected.sha256 }, expected), undefined)
  t.is(
    agreesWith({ ContentLength: 14, ChecksumSHA256: expected.sha256.replace(/-2$/, '') }, expected),
    undefined,
  )
})

test('agreesWith() compares the ETag where there is no SHA-256', t => {
  t.is(agreesWith({ ContentLength: 14, ETag: `"${expected.etag}"` }, expected), undefined)
  t.regex(
    agreesWith({ ContentLength: 14, ETag: '"another"' }, expected) ?? '',
    /no SHA-256 and the ETag another/,
  )
})

test('agreesWith() says which of both differs', t => {
  t.is(
    agreesWith({ ContentLength: 13, ChecksumSHA256: expected.sha256 }, expected),
    'the store has 13 bytes, expected 14',
  )
  t.regex(
    agreesWith({ ContentLength: 14, ChecksumSHA256: 'another' }, expected) ?? '',
    /the SHA-256 another, expected /,
  )
  t.is(agreesWith({}, expected), 'the store has no bytes, expected 14')
})
