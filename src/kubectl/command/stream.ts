// `stream`: streams the packets of a capture as one pcapng stream of all its pods: to standard
// output, into Wireshark, or into a file. Ends when the capture ends or the reader closes the
// pipe.
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
import {
  failureOf,
  type Gateway,
  type GatewayClientOptions,
  openGateway,
  withGateway,
} from '../client/gateway.ts'
import { gatewayPath } from '../client/gatewayPaths.ts'
import {
  type ClusterOptions,
  openSession,
  type Session,
  UnreachedFailure,
  withCluster,
} from '../client/session.ts'
import { sessionFor, withApi } from '../option/apiKind.ts'

type StreamOptions = ClusterOptions &
  GatewayClientOptions & { readonly wireshark?: string | true; readonly write?: string }

export function streamCommand(): Command {
  const command = new Command('stream')
    .description('follow the packets of a capture live, as pcapng')
    .argument('<capture>', 'it has to be capturing')
    .option('--wireshark [program]', 'start Wireshark on it')
    .option('--write <file>', 'into a file')
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
    // Awaited here, because the connection to the gateway is closed at the end of this block.
    if (write !== undefined)
      return await pipePackets(response, await fileTo(write, response), signal)
    if (wireshark === undefined) return await pipePackets(response, process.stdout, signal)
    const child = spawn(wireshark === true ? 'wireshark' : wireshark, ['-k', '-i', '-'], {
      stdio: ['pipe', 'ignore', 'inherit'],
    })
    await Promise.all([pipePackets(response, child.stdin, signal), whenEnded(child, response)])
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

export async function openStream(
  gateway: Gateway,
  { namespace, api }: Session,
  name: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const response = await gateway.request({
    path: gatewayPath({ namespace, name, api }, 'stream'),
    signal,
  })
  if (response.statusCode !== 200) throw await failureOf(response, `stream ${namespace}/${name}`)
  return response
}

/** A closed pipe ends the command with success; a stream that breaks off is a failure. */
export async function pipePackets(
  response: IncomingMessage,
  to: Writable,
  signal: AbortSignal,
): Promise<void> {
  try {
    await pipeline(response, to, { signal })
  } catch (error) {
    const isReaderGone =
      ['EPIPE', 'ERR_STREAM_DESTROYED'].includes((error as NodeJS.ErrnoException).code ?? '') ||
      to.errored?.message === 'write EPIPE'
    if (isReaderGone || (to.destroyed && !response.errored)) return
    if (signal.aborted) throw error
    throw new CommandFailure(
      'incomplete',
      `Cannot stream any longer: ${(error as Error).message}`,
      error,
    )
  }
}

async function whenEnded(child: ChildProcess, response: IncomingMessage): Promise<void> {
  try {
    await once(child, 'close')
  } catch (error) {
    throw new CommandFailure('failed', `Cannot start Wireshark: ${(error as Error).message}`, error)
  } finally {
    response.destroy()
  }
}
