// Where files go, as it is written in any API, and what is refused of it: the field, what was
// found, what was expected.
import test from 'ava'
import { readOutput } from '../../../src/api/output.ts'
import type { Output } from '../../../src/model/output.ts'
import { read } from '../../support/model/observations.ts'

const s3 = { bucket: 'captures', secretName: 'keys' }
const taken: readonly (readonly [what: string, written: object, output: Output | undefined])[] = [
  ['nothing', {}, undefined],
  ['a directory of the node alone', { hostPath: 'x' }, undefined],
  [
    'a bucket of a region',
    { s3Upload: { ...s3, region: 'eu-central-1' } },
    { stores: [{ kind: 's3', ...s3, region: 'eu-central-1' }], isCleanedUp: false },
  ],
  [
    'all of a bucket',
    {
      s3Upload: {
        ...s3,
        endpoint: 'https://store.example.org',
        region: 'auto',
        path: 'a/b',
        pathStyle: false,
      },
    },
    {
      stores: [
        {
          kind: 's3',
          ...s3,
          endpoint: 'https://store.example.org',
          region: 'auto',
          path: 'a/b',
          isPathStyle: false,
        },
      ],
      isCleanedUp: false,
    },
  ],
  [
    'an Azure URL',
    { blobUpload: 'url', s3Upload: null },
    { stores: [{ kind: 'blob', secretName: 'url' }], isCleanedUp: false },
  ],
  [
    'a server, with its usual port',
    { sftp: { host: 'files.example.org', secretName: 'login' } },
    {
      stores: [{ kind: 'sftp', host: 'files.example.org', port: 22, secretName: 'login' }],
      isCleanedUp: false,
    },
  ],
  [
    'a claim',
    { persistentVolumeClaim: 'pcaps' },
    { stores: [], claim: 'pcaps', isCleanedUp: false },
  ],
]
for (const [what, written, output] of taken) {
  test(`readOutput() takes ${what}`, t =>
    t.deepEqual(readOutput({ ...written }, false, 'output'), output))
}

test('readOutput() keeps all that is asked for, and the wish to clean up', t => {
  const written = {
    s3Upload: { ...s3, region: 'a' },
    blobUpload: 'url',
    sftp: { host: 'h', secretName: 'l' },
    persistentVolumeClaim: 'c',
  }
  const output = readOutput(written, true, 'output')
  t.deepEqual(
    output?.stores.map(({ kind }) => kind),
    ['s3', 'blob', 'sftp'],
  )
  t.like(output, { claim: 'c', isCleanedUp: true })
})

for (const [what, written, words] of [
  [
    'a bucket nowhere',
    { s3Upload: s3 },
    /^output\.s3Upload: found neither endpoint nor region, expected one of them$/,
  ],
  [
    'no bucket',
    { s3Upload: { secretName: 'k', region: 'a' } },
    /^output\.s3Upload\.bucket: found undefined, expected a text$/,
  ],
  [
    'a bucket that is a number',
    { s3Upload: { ...s3, region: 'a', bucket: 7 } },
    /^output\.s3Upload\.bucket: found 7, expected a text$/,
  ],
  ['no Secret', { blobUpload: '' }, /^output\.blobUpload: found "", expected a text$/],
  [
    'an outlandish port',
    { sftp: { host: 'h', secretName: 's', port: 0 } },
    /^output\.sftp\.port: found 0, expected a whole number from 1 to 65535$/,
  ],
  [
    'fields that are a text',
    { sftp: 'files.example.org' },
    /^output\.sftp: found "files\.example\.org", expected fields$/,
  ],
] as const) {
  test(`readOutput() refuses ${what}`, t => {
    t.throws(() => readOutput({ ...written }, false, 'output'), {
      instanceOf: RangeError,
      message: words,
    })
  })
}

test("a PacketCapture with an output that cannot be used is that capture's Error", t => {
  t.like(read({ output: { s3Upload: s3 } }), {
    ok: false,
    message:
      'Cannot capture: spec.output.s3Upload: found neither endpoint nor region, expected one of them',
  })
  t.like(read({ output: { blobUpload: 'url', cleanUpAfterUpload: true } }), {
    ok: true,
    output: { stores: [{ kind: 'blob' }], isCleanedUp: true },
  })
})
