// Runs one of the node's tools with fixed arguments: never a user's text, never a shell. In: the
// command and its limits. Out: its output up to the limit, and why it failed, if it did. Never
// throws because of the tool.
import { type ChildProcess, spawn } from 'node:child_process'

/** The error of a tool that does not exist. */
export const notFound = 'not found where the agent runs'

export type ToolOutput = { readonly out: Buffer; readonly error?: string }

type ToolOptions = {
  readonly bytesMax: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export async function runTool(
  [command = '', ...args]: readonly string[],
  options: ToolOptions,
): Promise<ToolOutput> {
  const parts: Buffer[] = []
  const state = { bytes: 0, cut: false }
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: toolEnvironment })
  const take = (chunk: Buffer): void => {
    const room = Math.max(0, options.bytesMax - state.bytes)
    state.cut ||= chunk.length > room
    state.bytes += Math.min(room, chunk.length)
    if (room > 0) parts.push(chunk.subarray(0, room))
    if (state.cut) child.kill('SIGKILL')
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  const ending = await endOf(child, options)
  const error = state.cut ? `more than ${options.bytesMax} bytes, the rest is left out` : ending
  const out = Buffer.concat(parts)
  return error === undefined ? { out } : { out, error }
}

/** Independent of the agent's own environment: fixed directories, language and time zone. */
export const toolEnvironment = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
}

/**
 * Why the child failed; undefined: it did not. Kills it after the time limit, or when the signal
 * aborts.
 */
export async function endOf(
  child: ChildProcess,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const stop = (): void => void child.kill('SIGKILL')
  limit.addEventListener('abort', stop, { once: true })
  if (limit.aborted) stop()
  try {
    return await new Promise<string | undefined>(resolve => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'ENOENT' ? notFound : error.message),
      )
      child.once('close', (code, killed) => {
        if (limit.aborted)
          resolve(signal.aborted ? 'stopped' : `no end within ${timeoutMs / 1_000} s`)
        else resolve(code === 0 ? undefined : `ended with ${code ?? killed}`)
      })
    })
  } finally {
    limit.removeEventListener('abort', stop)
  }
}
