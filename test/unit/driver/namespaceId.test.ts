// What tells one network namespace from another.
import { mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { namespaceId } from '../../../src/driver/namespaceId.ts'

test('namespaceId() is device and inode, the same under every name; undefined where there is no file', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-netns-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  symlinkSync(directory, join(directory, 'name'))
  const { dev, ino } = statSync(directory)
  t.is(await namespaceId(directory), `${dev}:${ino}`)
  t.is(await namespaceId(join(directory, 'name')), `${dev}:${ino}`)
  t.is(await namespaceId(join(directory, 'none')), undefined)
})
