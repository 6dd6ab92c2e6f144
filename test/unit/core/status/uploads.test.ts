// What a status keeps of uploads: the last word on each file, the newest last, so many and no more.
import test from 'ava'
import { isStored, withUploads } from '../../../../src/core/status/uploads.ts'
import type { UploadStatus } from '../../../../src/model/status.ts'

const at = (second: number) => new Date(second * 1_000).toISOString()
const failed = (file: string, second: number): UploadStatus => ({
  file,
  output: 's3Upload',
  error: 'no',
  at: at(second),
})
const stored = (file: string, second: number, output = 's3Upload'): UploadStatus => ({
  file,
  output,
  uploaded: `there/${file}`,
  at: at(second),
})

test('withUploads() says nothing where nothing was uploaded', t =>
  t.deepEqual(withUploads([], []), {}))

test('withUploads() keeps the last word on each file and output', t => {
  const before = [failed('a', 1), stored('b', 2), stored('a', 3, 'sftp')]
  t.deepEqual(withUploads(before, [stored('a', 4)]).uploads, [
    stored('b', 2),
    stored('a', 3, 'sftp'),
    stored('a', 4),
  ])
  t.deepEqual(withUploads(before, []).uploads, before)
})

test('withUploads() keeps the newest two hundred', t => {
  const many = Array.from({ length: 300 }, (_, index) => stored(`f${index}`, index))
  const { uploads = [] } = withUploads(many.slice(0, 150), many.slice(150))
  t.deepEqual([uploads.length, uploads[0]?.file, uploads.at(-1)?.file], [200, 'f100', 'f299'])
})

test('isStored() asks for every file in every output', t => {
  const made = { files: [{ path: '/x/a.tar.gz', bytes: 1 }, { path: '/x/a.txt', bytes: 1 }] } // biome-ignore format: one line
  t.true(isStored(made, [], []))
  t.false(isStored(made, ['s3Upload'], [stored('a.tar.gz', 1)]))
  t.false(isStored(made, ['s3Upload'], [stored('a.tar.gz', 1), failed('a.txt', 2)]))
  t.true(isStored(made, ['s3Upload'], [stored('a.tar.gz', 1), stored('a.txt', 2)]))
  t.false(isStored(made, ['s3Upload', 'sftp'], [stored('a.tar.gz', 1), stored('a.txt', 2)]))
})
