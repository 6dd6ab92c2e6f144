// The node's network configuration, in the files that Retina adds to the packets. In: nothing. Out:
// files one after the other, each in memory only while it is written. What cannot be read is noted
// in its file and reported to the caller; a missing tool only in its file. Never fails a capture.
// Every size is bounded, because a node may have thousands of interfaces.
import { constants } from 'node:fs'
import { open, readdir } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { notFound, runTool } from '../runTool.ts'

export type NetworkInfoFile = { readonly entry: string; readonly body: Buffer }

type ReportError = (problem: string) => void
type Command = { readonly command: readonly string[]; readonly says: string }

const toolBytesMax = 16 * 1_024 * 1_024
const toolMs = 30_000
const fileBytesMax = 4 * 1_024 * 1_024
const treeFilesMax = 20_000

const ip: readonly Command[] = [
  { command: ['ip', '-d', '-j', 'addr', 'show'], says: 'IP addresses' },
  { command: ['ip', '-d', '-j', 'neighbor', 'show'], says: 'neighbors' },
  { command: ['ip', 'rule', 'list'], says: 'rules' },
  { command: ['ip', 'route', 'show', 'table', 'all'], says: 'routes of all tables' },
]
const sockets: readonly Command[] = [
  { command: ['ss', '-s'], says: 'sockets in sum' },
  { command: ['ss', '-tapionume'], says: 'sockets one by one' },
]

export async function* networkInfoFiles(
  tell: ReportError,
  signal: AbortSignal,
): AsyncGenerator<NetworkInfoFile, void, undefined> {
  yield { entry: 'ip-resources.txt', body: await outputs(ip, tell, signal, withoutIp) }
  yield { entry: 'iptables-rules.txt', body: await iptables(tell, signal) }
  yield {
    entry: 'socket-stats.txt',
    body: await outputs(sockets, tell, signal, () => withoutSs(tell)),
  }
  yield* tree('/proc/self/net', 'proc-net', tell, signal)
  yield* tree('/proc/sys/net', 'proc-sys-net', tell, signal)
}

/** `instead`: what is known without the tools, if none of them works. */
async function outputs(
  commands: readonly Command[],
  tell: ReportError,
  signal: AbortSignal,
  instead: () => Promise<string> | string,
): Promise<Buffer> {
  const summary = [
    'Summary:',
    ...commands.map(({ command, says }) => `${command.join(' ')}(${says})`),
    '',
    'Execute:',
    '',
  ].join('\n')
  const parts: Buffer[] = [Buffer.from(summary)]
  const failures: string[] = []
  for (const { command } of commands) {
    const name = command.join(' ')
    const { out, error } = await runTool(command, {
      bytesMax: toolBytesMax,
      timeoutMs: toolMs,
      signal,
    })
    parts.push(Buffer.from(`${name}\n`), out)
    if (error === undefined) continue
    failures.push(name)
    parts.push(Buffer.from(`Failed to run "${name}", error: ${error}\n`))
    if (error !== notFound) tell(`"${name}": ${error}`)
  }
  if (failures.length === commands.length) parts.push(Buffer.from(`\n${await instead()}`))
  return Buffer.concat(parts)
}

// nft or legacy, whichever has more rules. Neither is no failure of the capture.
async function iptables(tell: ReportError, signal: AbortSignal): Promise<Buffer> {
  const saved = await Promise.all(
    ['nft', 'legacy'].map(async mode => {
      const { out, error } = await runTool([`iptables-${mode}-save`], {
        bytesMax: toolBytesMax,
        timeoutMs: toolMs,
        signal,
      })
      return {
        mode,
        error,
        lines: error === undefined ? out.toString('latin1').split('\n').length : -1,
      }
    }),
  )
  const [most] = saved.toSorted((a, b) => b.lines - a.lines)
  if (!most || most.lines < 0) {
    if (saved.some(({ error }) => error !== notFound)) tell('no iptables command is of use')
    return Buffer.from(
      `no iptables command is available: ${saved.map(({ mode, error }) => `${mode}: ${error}`).join(', ')}\n`,
    )
  }
  const list = [`iptables-${most.mode}`, '-vnx', '-L']
  const commands = [
    { command: [`iptables-${most.mode}-save`], says: 'rules' },
    { command: list, says: 'filter' },
    { command: [...list, '-t', 'nat'], says: 'nat' },
    { command: [...list, '-t', 'mangle'], says: 'mangle' },
  ]
  return outputs(commands, tell, signal, () => '')
}

function withoutIp(): string {
  return `Addresses as the agent sees them:\n${JSON.stringify(networkInterfaces(), undefined, 1)}\nRoutes, neighbors and rules: see proc-net\n`
}

async function withoutSs(tell: ReportError): Promise<string> {
  const names = ['sockstat', 'sockstat6', 'tcp', 'tcp6', 'udp', 'udp6']
  const texts = await Promise.all(
    names.map(
      async name =>
        `${name}\n${((await contents(join('/proc/self/net', name), tell)) ?? '').toString()}`,
    ),
  )
  return texts.join('\n')
}

async function* tree(
  from: string,
  to: string,
  tell: ReportError,
  signal: AbortSignal,
): AsyncGenerator<NetworkInfoFile, void, undefined> {
  let count = 0
  for await (const name of walk(from, '')) {
    if (signal.aborted) return
    if (++count > treeFilesMax) {
      tell(`${to}: more than ${treeFilesMax} files, the rest is left out`)
      return
    }
    const body = await contents(join(from, name), () => {}) // some files of /proc/sys are only writable
    if (body) yield { entry: `${to}/${name}`, body }
  }
  if (count === 0) tell(`${to}: ${from} cannot be read`)
}

async function* walk(root: string, folder: string): AsyncGenerator<string, void, undefined> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []) // gone since it was listed, or not readable: tree() reports an empty tree
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) yield* walk(root, name)
    else if (entry.isFile()) yield name // symbolic links are skipped
  }
}

/** Reads to the end, because a file of /proc has no size. undefined: it cannot be read. */
async function contents(
  path: string,
  failed: (problem: string) => void,
): Promise<Buffer | undefined> {
  try {
    await using file = await open(
      path,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    )
    const parts: Buffer[] = []
    let left = fileBytesMax // bytes that may still be kept
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(65_536, left)))
      if (bytesRead === 0) return Buffer.concat(parts)
      parts.push(buffer.subarray(0, bytesRead))
      left -= bytesRead
      if (left > 0) continue
      failed(`${path}: more than ${fileBytesMax} bytes, the rest is left out`)
      return Buffer.concat([...parts, Buffer.from('\n(the rest is left out)\n')])
    }
  } catch (error) {
    failed(`${path}: ${(error as Error).message}`)
    return undefined
  }
}
