// Where a download puts the files it fetches, and the merged one.
import test from 'ava'
import { type DownloadOptions, downloadPaths } from '../../../../src/kubectl/command/download.ts'

const rows: readonly (readonly [
  string,
  Pick<DownloadOptions, 'dest' | 'merge'>,
  string,
  string,
])[] = [
  ['no option is given', {}, 'web', 'web.pcapng'],
  ['--dest is given', { dest: '/d' }, '/d', '/d/web.pcapng'],
  ['--merge has no file', { merge: true }, '.web.parts', 'web.pcapng'],
  ['--merge has a file of its own directory', { merge: 'all.pcapng' }, '.web.parts', 'all.pcapng'],
  ['--merge has a relative path', { merge: 'out/all.pcapng' }, 'out/.web.parts', 'out/all.pcapng'],
  [
    '--merge has an absolute path',
    { merge: '/far/all.pcapng' },
    '/far/.web.parts',
    '/far/all.pcapng',
  ],
  [
    '--merge and --dest are given',
    { merge: 'all.pcapng', dest: '/d' },
    '/d/.web.parts',
    '/d/all.pcapng',
  ],
  [
    '--merge is outside of --dest',
    { merge: '/far/all.pcapng', dest: '/d' },
    '/d/.web.parts',
    '/far/all.pcapng',
  ],
]

for (const [when, options, folder, out] of rows)
  test(`downloadPaths() puts parts beside the destination when ${when}`, t =>
    t.deepEqual(downloadPaths('web', options), { folder, out }))

test('downloadPaths() cuts the names of a capture whose own is as long as a name may be', t => {
  const { folder, out } = downloadPaths('a'.repeat(253), { merge: true })
  for (const each of [folder, out]) t.true(Buffer.byteLength(each) <= 255, each)
  t.regex(out, /^a+_[0-9a-f]+\.pcapng$/)
})
