// A log that nobody reads: the process goes on, ends when it is told to, and tells what is missing.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { LogStream } from '../../../src/runtime/logStream.ts'
import { captureText, Directory } from '../../support/directory.ts'
import { until } from '../../support/until.ts'

/** Both ends, so that it stays open; nobody reads it until `read()`. */
function pipe(t: ExecutionContext): { readonly fd: number; readonly read: () => string } {
  const path = new Directory(t).in('pipe')
  execFileSync('mkfifo', [path])
  const fd = openSync(path, constants.O_RDWR)
  const own = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  t.teardown(() => [fd, own].map(closeSync))
  const bytes = Buffer.alloc(65_536)
  const read = () => {
    try {
      return bytes.toString('utf8', 0, readSync(own, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return ''
      throw error
    }
  }
  return { fd, read }
}

test('write() never waits for a pipe that is full, and tells what it dropped when it is read again', async t => {
  const { fd, read } = pipe(t)
  const stream = new LogStream(fd, lines => `${lines} dropped\n`)
  const line = (number: number) => `${number} ${'x'.repeat(1_000)}\n`
  for (let number = 0; number < 3_000; number++) stream.write(line(number))
  const { dropped } = stream
  t.true(dropped > 1_500 && dropped < 2_000, `${dropped}`)
  const found = { text: '' }
  await until('what was dropped', () => {
    found.text += read()
    return found.text.endsWith(`\n${dropped} dropped\n`)
  })
  const numbers = found.text
    .split('\n')
    .slice(0, -2)
    .map(each => Number(each.split(' ')[0]))
  t.deepEqual(
    numbers,
    Array.from({ length: 3_000 - dropped }, (_, index) => index),
  )
})

test('standalone goes on and heeds SIGTERM while nobody reads its log', async t => {
  const { fd } = pipe(t)
  const [manifests, directory] = [new Directory(t), new Directory(t)]
  const args = [
    'standalone',
    '--manifests',
    manifests.path,
    '--captures',
    directory.in('captures'),
    '--status',
    directory.in('status'),
  ]
  const child = spawn('bin/selcap', [...args, '--node', 'n', '--metrics-port', '0'], {
    stdio: ['ignore', 'ignore', fd],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  for (const round of Array.from({ length: 8 }, (_, index) => index)) {
    const names = Array.from({ length: 40 }, (_, index) => `c${round}-${index}`)
    manifests.write(`${round}.yaml`, names.map(name => captureText(name)).join('---\n'))
    await until(`round ${round}`, () => existsSync(directory.in(`status/shop/c${round}-39.yaml`)))
  }
  child.kill('SIGTERM')
  t.deepEqual(await ended, [0, null])
})
