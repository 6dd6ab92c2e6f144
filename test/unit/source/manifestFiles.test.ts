// One look at a directory of manifests: which files count, and what becomes of one that is broken.
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { type ManifestFiles, readManifestFiles } from '../../../src/source/manifestFiles.ts'
import { captureText, Directory } from '../../support/directory.ts'

const none: ManifestFiles = new Map()

/** Documents by file, as names. */
function documentsOf(files: ManifestFiles): Record<string, string[]> {
  return Object.fromEntries(
    [...files].map(([file, { documents }]) => [
      file,
      documents.map(({ metadata }) => metadata.name),
    ]),
  )
}

function directory(t: ExecutionContext, files: Readonly<Record<string, string>>): Directory {
  const made = new Directory(t)
  for (const [name, text] of Object.entries(files)) made.write(name, text)
  return made
}

test('readManifestFiles() reads YAML and JSON by name, many documents a file, and leaves the rest alone', async t => {
  const json = JSON.stringify({
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name: 'j', namespace: 'shop' },
  })
  const made = directory(t, {
    'b.yaml': `${captureText('b1')}---\n${captureText('b2')}---\n`,
    'a.yml': captureText('a'),
    'c.json': json,
    'empty.yaml': '',
    '.hidden.yaml': captureText('hidden'),
    'notes.txt': 'not: [a manifest',
    'd.yaml.bak': captureText('d'),
  })
  mkdirSync(made.in('sub'))
  made.write('sub/e.yaml', captureText('e'))
  mkdirSync(made.in('directory.yaml'))
  t.deepEqual(documentsOf(await readManifestFiles(made.path, none)), { 'a.yml': ['a'], 'b.yaml': ['b1', 'b2'], 'c.json': ['j'], 'empty.yaml': [] }) // biome-ignore format: one line
})

test('readManifestFiles() follows symbolic links, and a link to nowhere is no file', async t => {
  const [made, other] = [new Directory(t), directory(t, { 'x.yaml': captureText('x') })]
  symlinkSync(other.in('x.yaml'), made.in('link.yaml'))
  symlinkSync(other.in('gone.yaml'), made.in('nowhere.yaml'))
  t.deepEqual(documentsOf(await readManifestFiles(made.path, none)), { 'link.yaml': ['x'] })
})

test('readManifestFiles() does not parse a file again whose text is the same', async t => {
  const made = directory(t, { 'a.yaml': captureText('a'), 'bad.yaml': 'kind: [' })
  const first = await readManifestFiles(made.path, none)
  made.replace('a.yaml', captureText('a'))
  const second = await readManifestFiles(made.path, first)
  for (const name of ['a.yaml', 'bad.yaml']) t.is(second.get(name), first.get(name))
})

const broken: Readonly<Record<string, [string, RegExp]>> = {
  'is not YAML': ['kind: [', /^bad\.yaml:/],
  'has a misspelt field': [captureText('a', '{selecter: all()}'), /did you mean "selector"/],
  'has one bad document of two': [
    `${captureText('new')}---\n${captureText('a', '{ports: 1}')}`,
    /spec\.ports|"ports"/,
  ],
  'describes what selcap does not know': [
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n',
    /Pod/,
  ],
}
for (const [what, [text, problem]] of Object.entries(broken)) {
  test(`readManifestFiles() keeps the last good documents of a file that ${what}, and says what is wrong`, async t => {
    const made = directory(t, {
      'bad.yaml': captureText('good'),
      'other.yaml': captureText('other'),
    })
    const good = await readManifestFiles(made.path, none)
    made.replace('bad.yaml', text)
    const bad = await readManifestFiles(made.path, good)
    t.deepEqual(documentsOf(bad), { 'bad.yaml': ['good'], 'other.yaml': ['other'] })
    t.regex(bad.get('bad.yaml')?.problems.join('\n') ?? '', problem)
    t.true(bad.get('bad.yaml')?.isGood)
    made.replace('bad.yaml', captureText('mended'))
    const mended = await readManifestFiles(made.path, bad)
    t.deepEqual(documentsOf(mended), { 'bad.yaml': ['mended'], 'other.yaml': ['other'] })
    t.deepEqual(mended.get('bad.yaml')?.problems, [])
  })
}

test('readManifestFiles() says of a file that never was good that it was not', async t => {
  const files = await readManifestFiles(directory(t, { 'bad.yaml': 'kind: [' }).path, none)
  t.like(files.get('bad.yaml'), { documents: [], isGood: false })
  t.is(files.get('bad.yaml')?.problems.length, 1)
})

// Not by taking rights away: root, and whoever runs this within a user namespace, reads it all the
// same.
const unreadable: Readonly<Record<string, [(made: Directory) => void, RegExp]>> = {
  'a link to itself': [
    made => symlinkSync('a.yaml', made.in('a.yaml')),
    /^Cannot read ".*a\.yaml": ELOOP$/,
  ],
  'a device': [
    made => symlinkSync('/dev/zero', made.in('a.yaml')),
    /^Cannot read ".*a\.yaml": it is .* a device, expected a file$/,
  ],
}
for (const [what, [put, problem]] of Object.entries(unreadable)) {
  test(`readManifestFiles() keeps the last good documents when a file becomes ${what}, and the other files go on`, async t => {
    const made = directory(t, { 'a.yaml': captureText('a'), 'b.yaml': captureText('b') })
    const good = await readManifestFiles(made.path, none)
    rmSync(made.in('a.yaml'))
    put(made)
    made.replace('b.yaml', captureText('changed'))
    const bad = await readManifestFiles(made.path, good)
    t.deepEqual(documentsOf(bad), { 'a.yaml': ['a'], 'b.yaml': ['changed'] })
    t.regex(bad.get('a.yaml')?.problems.join('\n') ?? '', problem)
    t.is((await readManifestFiles(made.path, bad)).get('a.yaml'), bad.get('a.yaml')) // reported once
  })
}

test('readManifestFiles() forgets a file that is gone, and refuses a directory that is', async t => {
  const made = directory(t, { 'a.yaml': captureText('a') })
  const first = await readManifestFiles(made.path, none)
  rmSync(made.in('a.yaml'))
  t.is((await readManifestFiles(made.path, first)).size, 0)
  rmSync(made.path, { recursive: true })
  await t.throwsAsync(readManifestFiles(made.path, first), { code: 'ENOENT' })
})
