// A pipe among the manifests: reading it would wait for ever.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import test from 'ava'
import { readManifestFiles } from '../../../src/source/manifestFiles.ts'
import { captureText, Directory } from '../../support/directory.ts'

test('readManifestFiles() keeps the last good documents when a file becomes a pipe, and the other files go on', async t => {
  const made = new Directory(t)
  made.write('a.yaml', captureText('a'))
  made.write('b.yaml', captureText('b'))
  const good = await readManifestFiles(made.path, new Map())
  rmSync(made.in('a.yaml'))
  execFileSync('mkfifo', [made.in('a.yaml')])
  made.replace('b.yaml', captureText('changed'))
  const now = await readManifestFiles(made.path, good)
  t.deepEqual(
    [...now].map(([file, { documents }]) => [
      file,
      ...documents.map(({ metadata }) => metadata.name),
    ]),
    [
      ['a.yaml', 'a'],
      ['b.yaml', 'changed'],
    ],
  )
  t.regex(
    now.get('a.yaml')?.problems.join('\n') ?? '',
    /^Cannot read ".*a\.yaml": it is a pipe.*, expected a file$/,
  )
  t.is((await readManifestFiles(made.path, now)).get('a.yaml'), now.get('a.yaml')) // reported once
})
