// The packets of a file as tcpdump prints them. In: a capture file, flags out of a fixed set. Out: a text file beside it, to be
// removed by the caller. tcpdump reads the file as its standard input: no user's text is in its arguments, and it never asks for
// a name in the DNS.
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { openTemporary } from './hostFolder.ts'
import { endOf, toolEnvironment } from './tool.ts'

const known = /^(-n|-nn|-e|-q|-S|-K|-v{1,3}|-x|-xx|-A|-AA|-t{1,5})$/
const textBytesMax = 512 * 1_024 * 1_024
const timeoutMs = 600_000

type Wanted = { readonly file: string; readonly text: string; readonly flags: readonly string[]; readonly signal: AbortSignal }

/** Why the text is not there, or not whole. */
export async function render({ file, text, flags, signal }: Wanted): Promise<string | undefined> {
  const strange = flags.find(flag => !known.test(flag))
  if (strange !== undefined) throw new Error(`Cannot render packets: "${strange}" is no flag that shapes text`)
  await using input = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  await using output = await openTemporary(text)
  const args = ['-r', '-', '-n', ...flags.filter(flag => flag !== '-n')]
  const child = spawn('tcpdump', args, { stdio: [input.fd, 'pipe', 'pipe'], env: toolEnvironment })
  const { stdout, stderr } = child as typeof child & { readonly stdout: Readable; readonly stderr: Readable } // both are pipes
  const ended = endOf(child, { timeoutMs, signal })
  const bounded = { isCut: false, left: textBytesMax } // what is more is read and left out
  const complaint = lastLine(stderr)
  const write = async (): Promise<void> => {
    for await (const chunk of stdout as AsyncIterable<Buffer>) {
      bounded.isCut ||= chunk.length > bounded.left
      await output.writeFile(chunk.subarray(0, bounded.left))
      bounded.left = Math.max(0, bounded.left - chunk.length)
    }
  }
  const failure = await write().then(
    () => undefined,
    (error: Error) => error.message,
  )
  if (failure !== undefined) child.kill('SIGKILL')
  const ending = await ended
  if (bounded.isCut) return `the text is longer than ${textBytesMax} bytes, the rest is left out`
  const error = failure ?? ending
  return error === undefined ? undefined : `tcpdump: ${error}${complaint()}`
}

function lastLine(stream: Readable): () => string {
  let tail = '' // what it said last is why it failed
  stream.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-500)
  })
  return () => {
    const line = tail.trim().split('\n').at(-1) ?? ''
    return line === '' ? '' : `: ${line}`
  }
}
