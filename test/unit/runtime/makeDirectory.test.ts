// A directory and those above it are made; what stands in the way is refused.
// test/integration/processes/standaloneRemoved.test.ts has the case of a working directory that was
// removed.
import { chmodSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeDirectory, makeDirectorySync } from '../../../src/runtime/makeDirectory.ts'

function emptyDirectory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'selcap-make-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const ways = [
  ['makeDirectory', makeDirectory],
  ['makeDirectorySync', async (path: string, mode?: number) => makeDirectorySync(path, mode)],
] as const

for (const [name, make] of ways) {
  test(`${name}() makes every directory of the path with the mode, and leaves those that are there`, async t => {
    const root = emptyDirectory(t)
    const path = join(root, 'a', 'b')
    await make(path, 0o700)
    t.is(statSync(path).mode & 0o777, 0o700)
    t.is(statSync(join(root, 'a')).mode & 0o777, 0o700)
    chmodSync(path, 0o755)
    await make(path, 0o700)
    t.is(statSync(path).mode & 0o777, 0o755)
  })

  test(`${name}() takes a link to a directory for one, and refuses a file in the way`, async t => {
    const base = join(emptyDirectory(t), 'links')
    await make(join(base, 'real'))
    symlinkSync(join(base, 'real'), join(base, 'link'))
    await make(join(base, 'link', 'below'))
    t.true(statSync(join(base, 'real', 'below')).isDirectory())
    writeFileSync(join(base, 'file'), '')
    await t.throwsAsync(async () => make(join(base, 'file')), { code: 'EEXIST' })
    await t.throwsAsync(async () => make(join(base, 'file', 'below')), { code: 'ENOTDIR' })
    symlinkSync(join(base, 'nowhere'), join(base, 'dangling'))
    await t.throwsAsync(async () => make(join(base, 'dangling', 'below')), { code: 'EEXIST' })
  })
}
