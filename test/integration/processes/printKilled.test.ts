// A process that is killed while it prints: the next one leaves out no line, and repeats no more
// than one write of the first.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { ethernet, ipv4, numbered, udp } from '../../support/pcap/frames.ts'
import { pcapFile } from '../../support/pcap/pcap.ts'
import { root } from '../../support/repository.ts'

const count = 30_000
const writeBytes = 4_096
const program = `
import { StdoutWriter } from ${JSON.stringify(join(root, 'src/artifacts/text/stdoutWriter.ts'))}
import { printPackets } from ${JSON.stringify(join(root, 'src/artifacts/text/printPackets.ts'))}
import { systemClock } from ${JSON.stringify(join(root, 'src/runtime/clock.ts'))}
const { print } = new StdoutWriter(systemClock)
await printPackets({ folder: process.env.FOLDER, print, signal: new AbortController().signal })
`

/** What it printed, to its end or until it had printed so much and was killed. */
async function run(folder: string, bytesMax = Number.POSITIVE_INFINITY): Promise<string> {
  // Through the shell's pipe, as a container's log is one; the shell becomes the program, so that
  // this is who is killed.
  const command =
    'exec 3>&1; { echo $$ >&2; exec "$NODE" --input-type=module -e "$PROGRAM"; } | cat >&3'
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program, FOLDER: folder }
  const child = spawn('bash', ['-c', command.replace('$$', '$BASHPID')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [told] = (await once(child.stderr, 'data')) as [Buffer]
  const pid = Number(told.toString())
  if (!(pid > 1)) throw new Error(`Cannot test: the shell told ${told}, expected its process`)
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const wasBelow = text.length < bytesMax
    text += chunk.toString()
    if (wasBelow && text.length >= bytesMax) process.kill(pid, 'SIGKILL')
  })
  await once(child, 'close')
  return text
}

for (const bytesMax of [1, 200_000, 900_000]) {
  test(`a kill after ${bytesMax} bytes loses no line`, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'selcap-killed-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const packets = Array.from({ length: count }, (_, number) => {
      const data = ethernet({
        type: 0x0800,
        body: ipv4({ protocol: 17, body: udp(numbered(number)) }),
      })
      return { atUs: 1_800_000_000_000_000 + number, original: data.length, data }
    })
    writeFileSync(join(folder, 'a_eth0.pcap'), pcapFile(packets))
    const [first, rest] = [await run(folder, bytesMax), await run(folder)]
    const numbersOf = (text: string) =>
      Array.from(text.matchAll(/^PACKET: \S+ 08:00:00\.(\d{6}) IP .* bytes$/gm), ([, us]) =>
        Number(us),
      )
    const [before, after] = [numbersOf(first), numbersOf(rest)]
    t.is(before.length, first.split('\n').length - 1) // whole lines
    t.true(before.length < count, 'it was killed at work')
    const last = before.at(-1) ?? -1
    const from = after[0] ?? count
    t.true(from <= last + 1)
    const repeated = rest.split('\n').slice(0, last + 1 - from).join('\n') // biome-ignore format: one line
    t.true(repeated.length <= writeBytes, `${last + 1 - from} lines`)
    t.deepEqual(
      [...before, ...after.slice(last + 1 - from)],
      Array.from({ length: count }, (_, number) => number),
    )
  })
}
