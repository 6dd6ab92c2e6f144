// Lines reach a file in order; what is not taken waits, then is dropped and counted. A pipe that
// nobody reads is in test/integration/processes/blockedLog.test.ts.
import { closeSync, openSync, readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { LogStream } from '../../../src/runtime/logStream.ts'
import { Directory } from '../../support/directory.ts'
import { until } from '../../support/until.ts'

const told = (lines: number) => `dropped ${lines}\n`

function opened(t: ExecutionContext, path: string): number {
  const fd = openSync(path, 'a')
  t.teardown(() => closeSync(fd))
  return fd
}

test('write() writes lines to a file in their order', async t => {
  const path = new Directory(t).in('log')
  const stream = new LogStream(opened(t, path), told)
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}\n`)
  for (const line of lines) stream.write(line)
  await until('the lines', () => readFileSync(path, 'utf8') === lines.join(''))
  t.is(stream.dropped, 0)
})

test('write() keeps a mebibyte of lines while the disk is full, and counts those beyond', t => {
  const stream = new LogStream(opened(t, '/dev/full'), told)
  const line = `${'x'.repeat(1_023)}\n`
  for (let count = 0; count < 1_500; count++) stream.write(line)
  t.is(stream.dropped, 1_500 - 1_024)
  stream.flush()
  t.is(stream.dropped, 1_500 - 1_024)
})

test('write() counts every line to a descriptor that takes none', async t => {
  const directory = new Directory(t)
  directory.write('log', '')
  const fd = openSync(directory.in('log'), 'r')
  t.teardown(() => closeSync(fd))
  const stream = new LogStream(fd, told)
  for (const line of ['a\n', 'b\n']) stream.write(line)
  await until('the lines to be dropped', () => stream.dropped === 2)
  t.is(stream.dropped, 2)
})
