import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename } from 'node:path'
import test from 'ava'
import {
  atomicWrite,
  atomicWriteSync,
  fittingName,
  temporaryOf,
} from '../../../src/runtime/atomicWrite.ts'
import { Directory } from '../../support/directory.ts'

const longest = 'n'.repeat(253) // of a Kubernetes object

async function* chunks(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}

for (const isLasting of [false, true]) {
  test(`atomicWrite() and atomicWriteSync() replace a file and leave no other, isLasting ${isLasting}`, async t => {
    const directory = new Directory(t)
    const path = directory.write('a', 'old')
    await atomicWrite(path, 'new', { isLasting })
    t.is(readFileSync(path, 'utf8'), 'new')
    await atomicWrite(path, chunks('in ', 'chunks'), { isLasting, exactMode: 0o640 })
    t.is(readFileSync(path, 'utf8'), 'in chunks')
    t.is(statSync(path).mode & 0o777, 0o640)
    atomicWriteSync(path, 'at once', { isLasting, mode: 0o600 })
    t.is(readFileSync(path, 'utf8'), 'at once')
    t.is(statSync(path).mode & 0o777, 0o600)
    t.deepEqual(readdirSync(directory.path), ['a'])
  })
}

test('atomicWrite() keeps the old content and removes the temporary file when the content breaks off', async t => {
  const directory = new Directory(t)
  const path = directory.write('a', 'old')
  async function* broken(): AsyncGenerator<Buffer> {
    yield Buffer.from('half')
    throw new Error('broken off')
  }
  await t.throwsAsync(atomicWrite(path, broken(), { isLasting: true }), { message: 'broken off' })
  t.is(readFileSync(path, 'utf8'), 'old')
  t.deepEqual(readdirSync(directory.path), ['a'])
})

test('atomicWrite() and atomicWriteSync() keep the old content when the new one cannot take its place', async t => {
  const directory = new Directory(t)
  mkdirSync(directory.in('a', 'inside'), { recursive: true })
  await t.throwsAsync(atomicWrite(directory.in('a'), 'new', { isLasting: false }), {
    code: 'EISDIR',
  })
  t.throws(() => atomicWriteSync(directory.in('a'), 'new', { isLasting: false }), {
    code: 'EISDIR',
  })
  t.deepEqual(readdirSync(directory.path), ['a'])
})

test('atomicWrite() and atomicWriteSync() write through no symbolic link', async t => {
  const directory = new Directory(t)
  const other = directory.write('other', 'untouched')
  const path = directory.in('a')
  symlinkSync(other, temporaryOf(path))
  await atomicWrite(path, 'new', { isLasting: false })
  t.is(readFileSync(path, 'utf8'), 'new')
  symlinkSync(other, temporaryOf(path))
  t.throws(() => atomicWriteSync(path, 'new', { isLasting: false }), { code: 'ELOOP' })
  t.is(readFileSync(other, 'utf8'), 'untouched')
})

test('atomicWrite() does not write into a file that another run left under the temporary name', async t => {
  const directory = new Directory(t)
  const path = directory.in('a')
  linkSync(directory.write('other', 'untouched'), temporaryOf(path))
  await atomicWrite(path, 'new', { isLasting: false, exactMode: 0o640 })
  t.is(readFileSync(directory.in('other'), 'utf8'), 'untouched')
  t.is(readFileSync(path, 'utf8'), 'new')
  t.deepEqual(readdirSync(directory.path).toSorted(), ['a', 'other'])
})

for (const length of [1, 246, 247, 248, 253, 255]) {
  test(`atomicWrite() writes a file whose name has ${length} characters`, async t => {
    const directory = new Directory(t)
    const path = directory.in('n'.repeat(length))
    writeFileSync(path, 'old')
    await atomicWrite(path, 'new', { isLasting: false })
    atomicWriteSync(path, `${readFileSync(path, 'utf8')}er`, { isLasting: false })
    t.is(readFileSync(path, 'utf8'), 'newer')
    t.deepEqual(readdirSync(directory.path), [basename(path)])
  })
}

test('fittingName() changes no name that fits', t => {
  t.is(fittingName('web', '.yaml'), 'web.yaml')
  t.is(fittingName('n'.repeat(250), '.yaml'), `${'n'.repeat(250)}.yaml`)
})

test('fittingName() gives long names that fit and differ', t => {
  const names = [longest, `${longest.slice(0, -1)}m`, 'ü'.repeat(253)].map(name =>
    fittingName(name, '.yaml'),
  )
  t.true(
    names.every(
      name => Buffer.byteLength(name) <= 255 && name.endsWith('.yaml') && !name.includes('\uFFFD'),
    ),
  )
  t.is(new Set(names).size, names.length)
  t.deepEqual([fittingName(longest, '.yaml')], names.slice(0, 1))
})
