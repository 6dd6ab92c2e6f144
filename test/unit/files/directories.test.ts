// The directories of captures: what is made, found and removed, and what is refused.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CaptureFolder } from '../../../src/files/captureFolder.ts'
import { folderOf, listFolders, makeFolder, removeFolder } from '../../../src/files/directories.ts'
import { stateFileName } from '../../../src/files/stateFile.ts'
import type { CaptureRef } from '../../../src/model/captureRef.ts'
import { Disk, DiskQueue } from '../../../src/runtime/disk.ts'

const capture: CaptureRef = { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'u1' }

const create = (captureDir: string, changed = capture): Promise<CaptureFolder> =>
  CaptureFolder.create({ captureDir, capture: changed, node: 'node-0', nowMs: 1 })
const remove = (captureDir: string, { namespace, name }: Pick<CaptureRef, 'namespace' | 'name'>) =>
  removeFolder(captureDir, { namespace, name }, new DiskQueue(new Disk()))

function captureDir(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-directories-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

test('removeFolder() removes the directory and an empty namespace, and nothing without a state file', async t => {
  const directory = captureDir(t)
  await create(directory)
  mkdirSync(join(directory, 'shop', 'mine'))
  await remove(directory, { namespace: 'shop', name: 'mine' })
  t.true(existsSync(join(directory, 'shop', 'mine')))
  await remove(directory, capture)
  t.false(existsSync(join(directory, 'shop', 'web')))
  await remove(directory, capture)
  rmSync(join(directory, 'shop', 'mine'), { recursive: true })
  await create(directory)
  await remove(directory, capture)
  t.false(existsSync(join(directory, 'shop')))
})

test('removeFolder() follows no link out of the directory', async t => {
  const [directory, elsewhere] = [captureDir(t), captureDir(t)]
  writeFileSync(join(elsewhere, 'mine'), '')
  await create(directory)
  symlinkSync(elsewhere, join(directory, 'shop', 'web', 'link'))
  await remove(directory, capture)
  t.deepEqual(readdirSync(elsewhere), ['mine'])
  mkdirSync(join(directory, 'shop'))
  symlinkSync(elsewhere, join(directory, 'shop', 'web'))
  await remove(directory, capture)
  t.deepEqual(readdirSync(elsewhere), ['mine'])
})

for (const [namespace, name] of [
  ['shop', '..'],
  ['..', 'web'],
  ['shop', 'a/b'],
  ['shop', 'a..b'],
  ['shop', ''],
  ['shop', 'Web'],
  ['shop', 'a'.repeat(254)],
] as const)
  test(`folderOf() refuses ${namespace}/${name.slice(0, 9)}`, t => {
    t.throws(() => folderOf('/captures', { namespace, name }), {
      name: 'ExpectedError',
      message: /^Cannot keep files of .*expected a DNS name$/,
    })
  })

test('folderOf() takes a DNS name of 253 characters', t => {
  const name = 'a'.repeat(253)
  t.is(folderOf('/captures', { namespace: 'shop', name }), `/captures/shop/${name}`)
})

test('makeFolder() makes both directories for nobody else to read, and takes those that are there', async t => {
  const directory = join(captureDir(t), 'captures')
  const folder = await makeFolder(directory, capture)
  t.is(folder, join(directory, 'shop', 'web'))
  for (const path of [join(directory, 'shop'), folder]) t.is(statSync(path).mode & 0o027, 0)
  t.is(await makeFolder(directory, capture), folder)
})

test('makeFolder() refuses a link or a file in the place of a directory', async t => {
  const [directory, elsewhere] = [captureDir(t), captureDir(t)]
  symlinkSync(elsewhere, join(directory, 'shop'))
  const message = /found a symbolic link or a file, expected a directory$/
  await t.throwsAsync(() => makeFolder(directory, capture), { name: 'ExpectedError', message })
  t.deepEqual(readdirSync(elsewhere), [])
  rmSync(join(directory, 'shop'))
  mkdirSync(join(directory, 'shop'))
  writeFileSync(join(directory, 'shop', 'web'), '')
  await t.throwsAsync(() => makeFolder(directory, capture), { name: 'ExpectedError', message })
})

test('listFolders() finds directories by their state file, and tells copies from them', async t => {
  const directory = captureDir(t)
  await create(directory)
  await create(directory, { ...capture, name: 'other' })
  mkdirSync(join(directory, 'shop', 'mine'))
  mkdirSync(join(directory, 'shop', 'copy'))
  const state = join(directory, 'shop', 'web', stateFileName)
  copyFileSync(state, join(directory, 'shop', 'copy', stateFileName))
  symlinkSync(join(directory, 'shop'), join(directory, 'linked'))
  const { found, others } = await listFolders(directory)
  t.deepEqual([...found.keys()].toSorted(), ['shop/other', 'shop/web'])
  t.is(found.get('shop/web')?.state.capture.uid, 'u1')
  t.deepEqual(others, [join(directory, 'shop', 'copy')])
})

test('listFolders() finds nothing where there is no directory', async t =>
  t.is((await listFolders(join(captureDir(t), 'none'))).found.size, 0))
