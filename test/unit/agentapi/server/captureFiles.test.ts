// Files of a capture while they grow, are rotated or removed: which one a client gets, and how much
// of it.
import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  captureFiles,
  OpenedFile,
  removeArtifactFile,
} from '../../../../src/agentapi/server/captureFiles.ts'
import { CaptureFolder } from '../../../../src/files/captureFolder.ts'
import { folder } from '../../../support/captureDirectory.ts'

const active = 'web_cali1.pcap'
const rotated = 'web_cali1-20260101T000000.000Z.pcap'

async function captureFolder(t: ExecutionContext) {
  const capture = { api: 'PacketCapture', namespace: 'shop', name: 'web', uid: 'u' } as const
  const place = { captureDir: folder(t), node: 'node-0', nowMs: 1 }
  const capturing = await CaptureFolder.create({ ...place, capture })
  const write = (name: string, text: string) => {
    writeFileSync(join(capturing.directory, name), text)
  }
  return { capturing, write }
}

async function readAll(file: OpenedFile | undefined): Promise<string | undefined> {
  if (!file) return undefined
  const chunks: string[] = []
  for await (const chunk of file.read(0, file.bytes)) chunks.push(`${chunk}`)
  await file[Symbol.asyncDispose]()
  return chunks.join('')
}

test('captureFiles() lists capture files with their length, and no other file, folder or link', async t => {
  const { capturing, write } = await captureFolder(t)
  write(active, 'abc')
  write('notes', 'private')
  mkdirSync(join(capturing.directory, 'folder_cali1.pcap'))
  symlinkSync('/etc/hostname', join(capturing.directory, 'link_cali1.pcap'))
  t.like(await captureFiles(capturing), [{ name: active, bytes: 3, isActive: false }])
  t.is((await captureFiles(capturing)).length, 1)
})

test('captureFiles() keeps the identity of a file that grew, and has its new length beside it', async t => {
  const { capturing, write } = await captureFolder(t)
  write(active, 'abc')
  const [before] = await captureFiles(capturing)
  write(active, 'abcdef')
  const [now] = await captureFiles(capturing)
  t.not(before?.etag, now?.etag)
  t.is(before?.etag.slice(0, 17), now?.etag.slice(0, 17))
})

test('OpenedFile.find() gives the file of the tag when it was rotated and its name has another one now', async t => {
  const { capturing, write } = await captureFolder(t)
  write(active, 'first')
  const etag = (await captureFiles(capturing))[0]?.etag
  renameSync(join(capturing.directory, active), join(capturing.directory, rotated))
  write(active, 'second')
  t.is(await readAll(await OpenedFile.find(capturing, active, etag)), 'first')
  t.is(await readAll(await OpenedFile.find(capturing, active)), 'second')
})

test('OpenedFile.find() gives the file of the name when that of the tag is gone, and nothing without either', async t => {
  const { capturing, write } = await captureFolder(t)
  write(active, 'second')
  t.is(await readAll(await OpenedFile.find(capturing, active, '"0123456789abcdef-5"')), 'second')
  t.is(await OpenedFile.find(capturing, rotated), undefined)
  t.is(await OpenedFile.find(capturing, '../state.json'), undefined)
})

test('OpenedFile.asOf() is the length at an earlier tag of the same file', async t => {
  const { capturing, write } = await captureFolder(t)
  write(active, 'abc')
  const etag = (await captureFiles(capturing))[0]?.etag ?? ''
  write(active, 'abcdef')
  const file = await OpenedFile.find(capturing, active)
  t.deepEqual(file?.asOf(etag), { bytes: 3, etag })
  t.is(file?.bytes, 6)
  t.is(file?.asOf(etag.replace('-3', '-7')), undefined, 'it was never that long')
  t.is(file?.asOf('"0123456789abcdef-3"'), undefined, 'of another file')
  await file?.[Symbol.asyncDispose]()
})

test('OpenedFile.read() gives a part, also of a file whose name was removed, and refuses what lies behind its end', async t => {
  const { capturing, write } = await captureFolder(t)
  write(active, 'abcdef')
  const file = await OpenedFile.find(capturing, active)
  if (!file) return t.fail('not found')
  await capturing.clean()
  t.false(readdirSync(capturing.directory).includes(active))
  for await (const chunk of file.read(2, 5)) t.is(`${chunk}`, 'cde')
  await t.throwsAsync(readAllOf(file.read(4, 9)), { message: /it ends at 6, expected 9 bytes/ })
  await file[Symbol.asyncDispose]()
})

async function readAllOf(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of chunks);
}

test('removeArtifactFile() removes an artifact of that version alone, and tells when the last one went', async t => {
  const { capturing, write } = await captureFolder(t)
  write(active, 'abc')
  const paths = ['one.tar.gz', 'two.tar.gz'].map(name => join(capturing.directory, name))
  for (const path of paths) writeFileSync(path, 'archive')
  capturing.setArtifactResult({ atMs: 1, files: paths.map(path => ({ path, bytes: 7 })) })
  const tagOf = async (name: string) =>
    (await captureFiles(capturing)).find(file => file.name === name)?.etag
  t.false(await removeArtifactFile(capturing, 'one.tar.gz', '"0123456789abcdef-7"'))
  t.false(
    await removeArtifactFile(capturing, active, await tagOf(active)),
    'a capture file is none',
  )
  t.true(await removeArtifactFile(capturing, 'one.tar.gz', await tagOf('one.tar.gz')))
  t.is(capturing.artifact?.isRemoved, undefined)
  t.true(await removeArtifactFile(capturing, 'two.tar.gz', await tagOf('two.tar.gz')))
  t.true(capturing.artifact?.isRemoved)
})
