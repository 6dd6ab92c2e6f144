import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { commitFile, hostFolder, openTemporary } from '../../../src/artifacts/hostFolder.ts'

function scratch(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-host-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

test('hostFolder() makes what is missing, for nobody else to read', async t => {
  const base = join(scratch(t), 'captures')
  const folder = await hostFolder({ base, below: ['a', 'b c'] })
  t.is(folder, join(base, 'a', 'b c'))
  t.is(statSync(folder).mode & 0o027, 0)
  t.is(await hostFolder({ base, below: ['a', 'b c'] }), folder)
})

test('hostFolder() follows no link below the administrator’s directory, at any depth', async t => {
  const [base, elsewhere] = [scratch(t), scratch(t)]
  symlinkSync(elsewhere, join(base, 'link'))
  for (const below of [['link'], ['link', 'deep']]) {
    await t.throwsAsync(hostFolder({ base, below }), {
      message: /found a symbolic link or a file, expected a directory/,
    })
  }
  t.false(existsSync(join(elsewhere, 'deep')))
  writeFileSync(join(base, 'file'), '')
  await t.throwsAsync(hostFolder({ base, below: ['file'] }), { message: /expected a directory/ })
})

test('commitFile() takes the first free name and writes over nothing', async t => {
  const base = scratch(t)
  const [temporary, first, second] = ['.part', 'a.tar.gz', 'a-uid.tar.gz'].map(name =>
    join(base, name),
  ) as [string, string, string]
  writeFileSync(first, 'another')
  writeFileSync(temporary, 'mine')
  t.is(await commitFile(temporary, [first, second]), second)
  t.is(readFileSync(first, 'utf8'), 'another')
  t.is(readFileSync(second, 'utf8'), 'mine')
  t.false(existsSync(temporary))
  writeFileSync(temporary, 'again')
  await t.throwsAsync(commitFile(temporary, [first, second]), { message: /are there already/ })
})

test('openTemporary() begins anew, readable by the group alone, and writes through no link', async t => {
  const base = scratch(t)
  const path = join(base, '.part')
  const victim = join(base, 'victim')
  writeFileSync(victim, 'whole')
  symlinkSync(victim, path)
  const handle = await openTemporary(path)
  await handle.writeFile('new')
  await handle.close()
  t.is(readFileSync(victim, 'utf8'), 'whole')
  t.is(statSync(path).mode & 0o777, 0o640)
})
