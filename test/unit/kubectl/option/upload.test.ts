// Where files are to go, from flags: each kind of store as the API has it, and what is refused
// before anything is sent.
import test from 'ava'
import { readOutput } from '../../../../src/api/output.ts'
import { outputOf, type UploadOptions } from '../../../../src/kubectl/option/upload.ts'

const uploadSecret = 'keys'
const region = { uploadRegion: 'eu-central-1' }

for (const [upload, more, expected] of [
  [
    's3://captures',
    region,
    { s3Upload: { bucket: 'captures', secretName: 'keys', region: 'eu-central-1' } },
  ],
  [
    's3://captures/shop/web',
    region,
    {
      s3Upload: {
        bucket: 'captures',
        path: 'shop/web',
        secretName: 'keys',
        region: 'eu-central-1',
      },
    },
  ],
  [
    's3://captures',
    { uploadEndpoint: 'https://s3.test', uploadPathStyle: true, uploadClean: true },
    {
      s3Upload: {
        bucket: 'captures',
        secretName: 'keys',
        endpoint: 'https://s3.test',
        pathStyle: true,
      },
      cleanUpAfterUpload: true,
    },
  ],
  ['blob', { uploadClean: true }, { blobUpload: 'keys', cleanUpAfterUpload: true }],
  ['sftp://files.test', {}, { sftp: { host: 'files.test', secretName: 'keys' } }],
  [
    'sftp://files.test:2222/in/shop',
    {},
    { sftp: { host: 'files.test', port: 2_222, path: 'in/shop', secretName: 'keys' } },
  ],
  [
    'sftp://files.test//srv/in',
    {},
    { sftp: { host: 'files.test', path: '/srv/in', secretName: 'keys' } },
  ],
  ['sftp://[fd00::1]:22', {}, { sftp: { host: 'fd00::1', port: 22, secretName: 'keys' } }],
] as const) {
  test(`outputOf() makes of ${upload} ${JSON.stringify(more)} what every node can read`, t => {
    const output = outputOf({ upload, uploadSecret, ...more })
    t.deepEqual(output, expected)
    t.is(readOutput({ ...output }, false, 'output')?.stores.length, 1)
  })
}

test('outputOf() is nothing when nothing is asked for', t => t.is(outputOf({}), undefined))

for (const [options, message] of [
  [{ upload: 's3://captures', ...region }, /expected --upload-secret with --upload/],
  [{ uploadSecret }, /expected --upload with what tells where/],
  [{ uploadClean: true }, /expected --upload with/],
  [{ ...region }, /expected --upload with/],
  [{ upload: 's3://captures', uploadSecret }, /expected --upload-region, or --upload-endpoint/],
  [{ upload: 'blob', uploadSecret, ...region }, /expected them with s3:\/\/ alone/],
  [
    { upload: 'https://captures', uploadSecret },
    /^Cannot upload to "https:\/\/captures": expected s3:/,
  ],
  [
    { upload: 's3://', uploadSecret, ...region },
    /^Cannot use --upload-endpoint|^Cannot upload to "s3:\/\/"/,
  ],
  [{ upload: 'sftp://me@files.test', uploadSecret }, /the user's name stands in the Secret/],
  [{ upload: 'sftp://files.test:port', uploadSecret }, /expected sftp:\/\/HOST:PORT\/PATH/],
] as readonly (readonly [UploadOptions, RegExp])[]) {
  test(`outputOf() refuses ${JSON.stringify(options)}`, t =>
    t.throws(() => outputOf(options), { message }))
}
