// A directory and those above it are made; what stands in the way is refused.
// test/integration/processes/standaloneRemoved.test.ts has the case of a working directory that was
// removed.
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeDirectory } from '../../../src/runtime/makeDirectory.ts'

function emptyDirectory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'selcap-make-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('makeDirectory() makes every directory of the path with the mode, and leaves those that are there', async t => {
  const root = emptyDirectory(t)
  const path = join(root, 'a', 'b')
  await makeDirectory(path, 0o700)
  t.is(statSync(path).mode & 0o777, 0o700)
  t.is(statSync(join(root, 'a')).mode & 0o777, 0o700)
  chmodSync(path, 0o755)
  await makeDirectory(path, 0o700)
  t.is(statSync(path).mode & 0o777, 0o755)
})

test('makeDirectory() takes a link to a directory for one, and refuses a file in the way', async t => {
  const base = join(emptyDirectory(t), 'links')
  await makeDirectory(join(base, 'real'))
  symlinkSync(join(base, 'real'), join(base, 'link'))
  await makeDirectory(join(base, 'link', 'below'))
  t.true(statSync(join(base, 'real', 'below')).isDirectory())
  writeFileSync(join(base, 'file'), '')
  await t.throwsAsync(async () => makeDirectory(join(base, 'file')), { code: 'EEXIST' })
  await t.throwsAsync(async () => makeDirectory(join(base, 'file', 'below')), { code: 'ENOTDIR' })
  symlinkSync(join(base, 'nowhere'), join(base, 'dangling'))
  await t.throwsAsync(async () => makeDirectory(join(base, 'dangling', 'below')), {
    code: 'EEXIST',
  })
})
