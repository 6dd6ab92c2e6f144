// Looking for what may be gone.
import { lstat, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ifThere, namesIn, removeIfEmpty } from '../../../src/runtime/ifThere.ts'

test('ifThere() and namesIn() find what is there, nothing where it is gone, and pass other failures on', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selcap-there-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await writeFile(join(directory, 'a'), 'x')
  t.is((await ifThere(lstat(join(directory, 'a'))))?.size, 1)
  t.is(await ifThere(lstat(join(directory, 'b'))), undefined)
  t.is(await ifThere(lstat(join(directory, 'a', 'b'))), undefined)
  await t.throwsAsync(ifThere(Promise.reject(new Error('other'))), { message: 'other' })
  t.deepEqual(await namesIn(directory), ['a'])
  t.deepEqual(await namesIn(join(directory, 'gone')), [])
})

test('removeIfEmpty() removes a directory that holds nothing, and leaves others and what is gone', async t => {
  const directory = await mkdtemp(join(tmpdir(), 'selcap-there-'))
  t.teardown(() => rm(directory, { recursive: true }))
  await mkdir(join(directory, 'empty'))
  await removeIfEmpty(directory)
  t.deepEqual(await namesIn(directory), ['empty'])
  for (const name of ['empty', 'empty']) await removeIfEmpty(join(directory, name))
  t.deepEqual(await namesIn(directory), [])
  await writeFile(join(directory, 'file'), 'x')
  await t.throwsAsync(removeIfEmpty(join(directory, 'file')), { code: 'ENOTDIR' })
})
