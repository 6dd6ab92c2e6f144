// Looking for what may be gone.
import { lstat, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ifThere, namesIn } from '../../../src/runtime/ifThere.ts'

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
