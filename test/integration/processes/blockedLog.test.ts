// A log that nobody reads: the process goes on, ends when it is told to, and tells what is missing.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, existsSync, openSync, readSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { LogStream } from '../../../src/runtime/logStream.ts'
import { captureText, Directory } from '../../support/directory.ts'
import { unreadSocket } from '../../support/processes/unreadSocket.ts'
import { patienceMs, until } from '../../support/until.ts'

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

/** Starts standalone by that command, gives it work, and ends it. */
async function runs(t: ExecutionContext, command: readonly string[], stderr: 'ignore' | number) {
  const [manifests, directory] = [new Directory(t), new Directory(t)]
  const places = ['--captures', directory.in('captures'), '--status', directory.in('status')]
  const [program = '', ...args] = [
    ...[...command, 'bin/selcap', 'standalone', '--manifests', manifests.path],
    ...[...places, '--node', 'n', '--metrics-port', '0'],
  ]
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', stderr] })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  for (const round of Array.from({ length: 8 }, (_, index) => index)) {
    const names = Array.from({ length: 40 }, (_, index) => `c${round}-${index}`)
    manifests.write(`${round}.yaml`, names.map(name => captureText(name)).join('---\n'))
    await until(`round ${round}`, () => existsSync(directory.in(`status/shop/c${round}-39.yaml`)))
  }
  child.kill('SIGTERM')
  t.deepEqual(await ended, [0, null])
}

test('standalone goes on and heeds SIGTERM while nobody reads the pipe of its log', async t => {
  await runs(t, [], pipe(t).fd)
})

test('standalone goes on and heeds SIGTERM while nobody reads the socket of its log', async t => {
  await runs(t, unreadSocket, 'ignore')
})

test('write() keeps no process from ending that has a socket nobody reads', async t => {
  const { href } = new URL('../../../src/runtime/logStream.ts', import.meta.url)
  const program = `
    import { LogStream } from '${href}'
    const stream = new LogStream(2, lines => lines + ' dropped')
    process.on('exit', () => stream.flush())
    for (let line = 0; line < 1_000; line++) stream.write('x'.repeat(1_000))`
  const [command = '', ...args] = [...unreadSocket, process.execPath, '--input-type=module']
  const child = spawn(command, [...args, '--eval', program], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  t.deepEqual(await once(child, 'exit', { signal: AbortSignal.timeout(patienceMs()) }), [0, null])
})
