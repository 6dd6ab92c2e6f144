import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isKeptAside, keepAside } from '../../../src/runtime/keepAside.ts'

function path(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-aside-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return join(directory, 'state')
}

function aside(file: string): string[] {
  return readdirSync(join(file, '..')).filter(name => isKeptAside(name, 'state'))
}

test('keepAside() gives a file a second name, once', async t => {
  const file = path(t)
  writeFileSync(file, 'torn')
  t.is(await keepAside(file), undefined)
  t.is(await keepAside(file), undefined)
  t.deepEqual(aside(file).length, 1)
  rmSync(file)
  t.is(readFileSync(join(file, '..', aside(file)[0] ?? ''), 'utf8'), 'torn')
})

test('keepAside() moves a directory away, and follows no link', async t => {
  const [directory, link] = [path(t), path(t)]
  mkdirSync(directory)
  t.is(await keepAside(directory), undefined)
  t.false(existsSync(directory))
  t.is(aside(directory).length, 1)
  symlinkSync('/nowhere', link)
  t.is(await keepAside(link), undefined)
  t.is(readlinkSync(join(link, '..', aside(link)[0] ?? '')), '/nowhere')
})

test('keepAside() is done where there is nothing, and says what the file system said', async t => {
  const file = path(t)
  t.is(await keepAside(file), undefined)
  t.regex((await keepAside(join(file, '..', 'n'.repeat(300)))) ?? '', /^ENAMETOOLONG/)
})
