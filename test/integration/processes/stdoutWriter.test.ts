// A pipe that nobody reads holds up who prints, and nothing else of the process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import test from 'ava'
import { root } from '../../support/repository.ts'

const program = `
import { StdoutWriter } from ${JSON.stringify(join(root, 'src/artifacts/text/stdoutWriter.ts'))}
import { systemClock } from ${JSON.stringify(join(root, 'src/runtime/clock.ts'))}
const output = new StdoutWriter(systemClock)
const ticks = setInterval(() => process.stderr.write('tick\\n'), 50)
const signal = new AbortController().signal
for (let line = 0; line < 200; line++) await output.print(String(line).padStart(2_000, '.') + '\\n', signal)
clearInterval(ticks)
`

test('Output waits for a slow reader beside everything else', async t => {
  // Node gives children sockets: the shell's pipe is one, and is read when the parent says so.
  const command = 'exec 3<&0; "$NODE" --input-type=module -e "$PROGRAM" | { read line <&3; cat; }'
  const child = spawn('sh', ['-c', command], {
    env: { ...process.env, NODE: process.execPath, PROGRAM: program },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let ticks = ''
  child.stderr.on('data', (text: Buffer) => {
    ticks += text.toString()
  })
  while (ticks.split('tick').length < 10 && child.exitCode === null)
    await once(child.stderr, 'data') // although the pipe is full
  t.is(child.exitCode, null, ticks)
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  child.stdin.end('go\n')
  const [code] = await once(child, 'close')
  t.is(code, 0, ticks)
  const lines = text.trimEnd().split('\n')
  t.deepEqual(lines, Array.from({ length: 200 }, (_, line) => String(line).padStart(2_000, '.'))) // biome-ignore format: one line
})
