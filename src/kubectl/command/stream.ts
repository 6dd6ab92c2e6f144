// `stream`: streams the packets of a capture as one pcapng stream of all its pods: to standard
// output, into Wireshark, or into a file. Ends when the capture ends or the reader closes the pipe;
// a connection that breaks off is made again.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { exitHelp, interruptibly } from '../../cmd/exitCodes.ts'
import { CommandFailure } from '../../model/errors.ts'
import { captureGroups } from '../../model/wellKnown.ts'
import { systemClock } from '../../runtime/clock.ts'
import { followStream, type Reopened } from '../client/followStream.ts'
import { failureOf, type Gateway, type GatewayRequest, openGateway } from '../client/gateway.ts'
import { gatewayPath } from '../client/gatewayPaths.ts'
import { openSession, type Session, UnreachedFailure } from '../client/session.ts'
import { sessionFor, withApi } from '../option/apiKind.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { type GatewayClientOptions, withGateway } from '../option/gateway.ts'
import { readSeconds } from '../option/quantity.ts'

type StreamOptions = ClusterOptions &
  GatewayClientOptions & {
    readonly wireshark?: string | true
    readonly write?: string
    readonly reconnect?: number
  }

export function streamCommand(): Command {
  const command = new Command('stream')
    .description('follow the packets of a capture live, as pcapng')
    .argument('<capture>', 'it has to be capturing')
    .option('--wireshark [program]', 'start Wireshark on it')
    .option('--write <file>', 'into a file')
    .option(
      '--reconnect <duration>',
      'how long to try again when the connection breaks off: 30s, 1h, or 0; default: 5m',
      text => (text === '0' ? 0 : readSeconds(text)),
    )
  return withApi(withGateway(withCluster(command)))
    .addHelpText('after', `${exitHelp}\n\nExample:\n  kubectl pcap stream web | wireshark -k -i -`)
    .action(stream)
}

async function stream(name: string, options: StreamOptions): Promise<void> {
  const { wireshark, write } = options
  if (wireshark !== undefined && write !== undefined)
    throw new CommandFailure(
      'usage',
      'Cannot use --wireshark and --write together: expected one of them',
    )
  if (wireshark === undefined && write === undefined && process.stdout.isTTY)
    throw new CommandFailure(
      'usage',
      'Cannot stream to a terminal: expected a pipe, --wireshark or --write',
    )
  const session = await sessionOf(name, options)
  await interruptibly(async signal => {
    await using gateway = await openGateway(session, options)
    const response = await openStream(gateway, session, name, signal)
    const source = { gateway, session, name, first: response, reconnectSeconds: options.reconnect }
    // Awaited here, because the connection to the gateway is closed at the end of this block.
    if (write !== undefined) return await pipePackets(source, await fileTo(write, response), signal)
    if (wireshark === undefined) return await pipePackets(source, process.stdout, signal)
    const child = spawn(wireshark === true ? 'wireshark' : wireshark, ['-k', '-i', '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    await Promise.all([pipePackets(source, child.stdin, signal), whenEnded(child)])
  })
}

// A gateway with an address of its own may be reached where the API server is not. Then a name
// without --api is a PacketCapture's.
async function sessionOf(name: string, options: StreamOptions): Promise<Session> {
  try {
    return await sessionFor(await openSession(options), name)
  } catch (error) {
    if (!(error instanceof UnreachedFailure) || options.gateway === undefined) throw error
    return await openSession({ ...options, apiGroup: captureGroups.calico }) // a gateway asks for no group
  }
}

async function fileTo(path: string, response: IncomingMessage): Promise<Writable> {
  const file = createWriteStream(path, { mode: 0o600 })
  try {
    await once(file, 'open')
    return file
  } catch (error) {
    response.destroy()
    throw new CommandFailure('usage', `Cannot write ${path}: ${(error as Error).message}`, error)
  }
}

function streamRequest(
  { namespace, api }: Pick<Session, 'namespace' | 'api'>,
  name: string,
  signal: AbortSignal,
): GatewayRequest {
  return { path: gatewayPath({ namespace, name, api }, 'stream'), signal }
}

export async function openStream(
  gateway: Gateway,
  { namespace, api }: Session,
  name: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const response = await gateway.request(streamRequest({ namespace, api }, name, signal))
  if (response.statusCode !== 200) throw await failureOf(response, `stream ${namespace}/${name}`)
  return response
}

export type StreamSource = {
  readonly gateway: Gateway
  readonly session: Session
  readonly name: string
  readonly first: IncomingMessage // the stream, as it was opened
  readonly reconnectSeconds?: number | undefined
}

const reconnectSecondsUsual = 300

/** A closed pipe ends the command with success; a stream that breaks off for good is a failure. */
export async function pipePackets(
  { gateway, session, name, first, reconnectSeconds = reconnectSecondsUsual }: StreamSource,
  to: Writable,
  signal: AbortSignal,
): Promise<void> {
  const gone = new AbortController() // the reader closed the pipe
  const either = AbortSignal.any([signal, gone.signal])
  let response = first
  const end = () => {
    gone.abort()
    response.destroy()
  }
  to.once('close', end).once('error', end)
  const packets = followStream(first, {
    open: async () => {
      const opened = await reopen(gateway, session, name, either)
      if ('response' in opened) response = opened.response
      return opened
    },
    clock: systemClock,
    signal: either,
    reconnectForMs: reconnectSeconds * 1_000,
    say: line => void process.stderr.write(`${line}\n`),
  })
  try {
    await pipeline(packets, to, { signal })
  } catch (error) {
    if (error instanceof CommandFailure || signal.aborted) throw error
    const { code } = error as NodeJS.ErrnoException
    const isReaderGone = ['EPIPE', 'ERR_STREAM_DESTROYED', 'ERR_STREAM_PREMATURE_CLOSE'].includes(code ?? '') // biome-ignore format: one line
    if (!isReaderGone && to.errored?.message !== 'write EPIPE') throw error
  } finally {
    to.off('close', end).off('error', end)
    response.destroy()
  }
}

async function reopen(
  gateway: Gateway,
  session: Session,
  name: string,
  signal: AbortSignal,
): Promise<Reopened> {
  const response = await gateway.request(streamRequest(session, name, signal))
  const status = response.statusCode ?? 0
  if (status === 200) return { response }
  const refused = await failureOf(response, `stream ${session.namespace}/${name}`)
  if (status === 409) return { isOver: true }
  if (status >= 500 || status === 429) throw refused
  return { refused }
}

async function whenEnded(child: ChildProcess): Promise<void> {
  try {
    await once(child, 'close')
  } catch (error) {
    throw new CommandFailure('failed', `Cannot start Wireshark: ${(error as Error).message}`, error)
  }
}
