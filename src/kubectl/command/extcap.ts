// The extcap protocol of Wireshark. In: its flags. Out: the list of captures, their link type and
// options, or the packets, into Wireshark's pipe. Lists all namespaces where the user may, else the
// context's own. Wireshark waits for the list when it starts: after five seconds, or when the
// cluster does not answer, the list is empty and standard error has the reason.
import { createWriteStream } from 'node:fs'
import { Command } from 'commander'
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { interruptibly } from '../../cmd/exitCodes.ts'
import { CommandFailure } from '../../model/errors.ts'
import { listCaptures } from '../client/captures.ts'
import { openGateway } from '../client/gateway.ts'
import { openSession } from '../client/session.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { type GatewayClientOptions, withGateway } from '../option/gateway.ts'
import { openStream, pipePackets } from './stream.ts'

type ExtcapOptions = ClusterOptions &
  GatewayClientOptions & {
    readonly extcapInterfaces?: boolean
    readonly extcapInterface?: string
    readonly extcapDlts?: boolean
    readonly extcapConfig?: boolean
    readonly capture?: boolean
    readonly fifo?: string
  }

const prefix = 'selcap-' // of interfaces; a namespace has no dot, a capture's name may have dots
const listMs = 5_000

export function extcapCommand(): Command {
  const command = new Command('__extcap')
    .option('--extcap-interfaces')
    .option('--extcap-interface <name>')
    .option('--extcap-version [version]')
    .option('--extcap-dlts')
    .option('--extcap-config')
    .option('--extcap-capture-filter <filter>')
    .option('--capture')
    .option('--fifo <file>')
  return withGateway(withCluster(command))
    .allowUnknownOption()
    .allowExcessArguments()
    .action(extcap)
}

async function extcap(options: ExtcapOptions): Promise<void> {
  const { extcapInterfaces, extcapInterface, extcapDlts, extcapConfig, capture, fifo } = options
  if (extcapInterfaces)
    return print(['extcap {version=1}{display=selcap}', ...(await withinMs(interfaces(options)))])
  if (extcapDlts) return print(['dlt {number=1}{name=EN10MB}{display=Ethernet}'])
  if (extcapConfig) return print(settings)
  if (!capture || !fifo)
    throw new CommandFailure(
      'usage',
      'Cannot tell what is asked: expected what Wireshark asks of an extcap program',
    )
  await follow(placeOf(extcapInterface ?? ''), fifo, options)
}

const settings = [
  'arg {number=0}{call=--context}{display=Context}{type=string}{tooltip=Of the kubeconfig; empty: the current one}',
  'arg {number=1}{call=--kubeconfig}{display=Kubeconfig}{type=fileselect}{tooltip=Empty: as kubectl finds it}',
]

async function interfaces(options: ExtcapOptions): Promise<string[]> {
  const session = await openSession(options)
  const captures = await listCaptures(session, true).catch(error => {
    if (!(error instanceof CommandFailure)) throw error
    return listCaptures(session, false) // the user may not list all namespaces; any other error occurs again here
  })
  return captures.filter(({ status }) => status?.state !== 'Finished').map(interfaceOf)
}

export function interfaceOf({ metadata: { namespace, name }, status }: ShownCapture): string {
  return `interface {value=${prefix}${namespace}.${name}}{display=Capture ${namespace}/${name} (${status?.state ?? 'Pending'})}`
}

export function placeOf(value: string): { readonly namespace: string; readonly name: string } {
  const [, namespace, name] = value.match(/^selcap-([a-z0-9-]+)\.(.+)$/) ?? []
  if (namespace !== undefined && name !== undefined) return { namespace, name }
  throw new CommandFailure('usage', `Cannot listen to "${value}": expected ${prefix}NAMESPACE.NAME`)
}

async function follow(
  { namespace, name }: ReturnType<typeof placeOf>,
  fifo: string,
  options: ExtcapOptions,
): Promise<void> {
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== ''),
  ) as ExtcapOptions // without empty options
  const session = await openSession({ ...given, namespace })
  await interruptibly(async signal => {
    await using gateway = await openGateway(session, given)
    const first = await openStream(gateway, session, name, signal)
    await pipePackets(
      { gateway, session, name, first },
      createWriteStream(fifo, { flags: 'r+' }),
      signal,
    )
  })
}

async function withinMs(lines: Promise<string[]>): Promise<string[]> {
  const late = new Promise<never>((_, reject) =>
    setTimeout(
      () => reject(new Error(`Cannot list captures: no answer within ${listMs / 1_000} s`)),
      listMs,
    ),
  )
  return Promise.race([lines, late]).catch((error: Error) => {
    process.stderr.write(`${error.message}\n`)
    return []
  })
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`, () => process.exit(0)) // does not wait for requests that are still open
}
