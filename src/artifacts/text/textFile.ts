// The packets of a file as tcpdump prints them. In: a capture file, and flags of a fixed set. Out:
// a text file, which the caller removes. tcpdump reads the file as standard input, without rights,
// because packets are hostile. Its arguments hold no user's text, and -n keeps it from asking DNS.
import type { ChildProcess } from 'node:child_process'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { ExpectedError } from '../../model/errors.ts'
import { openTemporary } from '../hostFolder.ts'
import { endOf, notFound, toolEnvironment } from '../runTool.ts'
import { unprivilegedTcpdump } from './sandbox.ts'

const allowedFlag = /^(-n|-nn|-e|-q|-S|-K|-v{1,3}|-x|-xx|-A|-AA|-t{1,5})$/
const textBytesMax = 512 * 1_024 * 1_024
const timeoutMs = 600_000

type TextFileOptions = {
  readonly file: string
  readonly text: string
  readonly flags: readonly string[]
  readonly signal: AbortSignal
}

/** Why the text is missing or incomplete; undefined: it is complete. */
export async function writeTextFile({
  file,
  text,
  flags,
  signal,
}: TextFileOptions): Promise<string | undefined> {
  const unknown = flags.find(flag => !allowedFlag.test(flag))
  if (unknown !== undefined)
    throw new ExpectedError(`Cannot render packets: "${unknown}" is no flag that shapes text`)
  await using input = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  await using output = await openTemporary(text)
  const child = await start(['-n', ...flags.filter(flag => flag !== '-n')], input.fd)
  if (typeof child === 'string') return `tcpdump: ${child}`
  const { stdout, stderr } = child
  const ended = endOf(child, { timeoutMs, signal })
  const bounded = { isCut: false, left: textBytesMax } // bytes beyond it are read and dropped
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

type Tcpdump = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable }

/** A running tcpdump, or why there is none. */
async function start(flags: readonly string[], input: number): Promise<Tcpdump | string> {
  try {
    return (await unprivilegedTcpdump(['-r', '-', ...flags], {
      stdio: [input, 'pipe', 'pipe'],
      env: toolEnvironment,
    })) as Tcpdump
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (code === 'EPERM') return 'is run as nobody, which takes the capabilities SETUID and SETGID'
    return code === 'ENOENT' ? notFound : message
  }
}

function lastLine(stream: Readable): () => string {
  let tail = '' // its last line says why it failed
  stream.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString()).slice(-500)
  })
  return () => {
    const line = tail.trim().split('\n').at(-1) ?? ''
    return line === '' ? '' : `: ${line}`
  }
}
