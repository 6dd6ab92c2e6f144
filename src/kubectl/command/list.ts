// `list`: the captures of a namespace or of all, in the columns of kubectl.
import { Command } from 'commander'
import { columnCells, columnNames, type ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { exitHelp } from '../../cmd/exitCodes.ts'
import { table } from '../../cmd/table.ts'
import type { CaptureStateName } from '../../model/status.ts'
import { type ClusterOptions, capturesPath, openSession, request, type Session, withCluster } from '../client/session.ts'
import { type OtherApiRow, otherApiTable } from '../format/otherApis.ts'
import { type OutputFormat, outputOption, printList, stateCell } from '../format/printer.ts'
import { apiKindOf, servedApis, withApi } from '../option/apiKind.ts'

type ListOptions = ClusterOptions & { readonly allNamespaces?: boolean; readonly output?: OutputFormat }

export function listCommand(): Command {
  return withApi(withCluster(new Command('list').description('show captures and how they stand')))
    .option('-A, --all-namespaces', 'all namespaces')
    .addOption(outputOption('wide', 'yaml', 'json', 'name'))
    .addHelpText('after', exitHelp)
    .action(list)
}

async function list(options: ListOptions): Promise<void> {
  const session = await openSession(options)
  const apis = options.api ? [options.api] : await servedApis(session)
  const found = await Promise.all(
    apis.map(async api => ({ api, items: await listOf({ ...session, api }, options.allNamespaces === true) })),
  )
  const kinds = found.filter(({ items }) => items.length > 0)
  const all = kinds.flatMap(({ items }) => items)
  if (options.output === 'json' || options.output === 'yaml') return void process.stdout.write(printList(all, options.output))
  if (options.output === 'name')
    return void process.stdout.write(all.map(({ kind, metadata }) => `${apiKindOf(session, kind, metadata.name)}\n`).join(''))
  if (all.length === 0) {
    process.stderr.write(options.allNamespaces ? 'No captures found\n' : `No captures found in ${session.namespace} namespace\n`)
    return
  }
  const tables = kinds.map(({ api, items }) => {
    const named = kinds.length === 1 ? items : items.map(item => withName(item, apiKindOf(session, api, item.metadata.name)))
    if (api === 'PacketCapture') return captureTable(named as ShownCapture[], options, session.nowMs())
    const [head = [], ...rows] = otherApiTable(named as OtherApiRow[], api, session.nowMs())
    const namespaces = ['NAMESPACE', ...items.map(({ metadata }) => metadata.namespace ?? '')]
    return table([head, ...rows].map((row, index) => (options.allNamespaces ? [namespaces[index] ?? '', ...row] : row)))
  })
  process.stdout.write(tables.join('\n'))
}

type Shown = ShownCapture | OtherApiRow

function withName<T extends Shown>(capture: T, name: string): T {
  return { ...capture, metadata: { ...capture.metadata, name } }
}

/** With what the API server leaves out of the items of a list, and in the order of their names. */
export async function listCaptures(session: Session, isEverywhere: boolean): Promise<ShownCapture[]> {
  return (await listOf({ ...session, api: 'PacketCapture' }, isEverywhere)) as ShownCapture[]
}

/** Of the session's kind. */
export async function listOf(session: Session, isEverywhere: boolean): Promise<Shown[]> {
  const path = capturesPath(session, isEverywhere ? undefined : session.namespace)
  const { apiVersion, items } = await request<{ readonly apiVersion: string; readonly items: readonly Shown[] }>(session.kube, {
    path,
    what: 'list captures',
  })
  return items.map(item => ({ ...item, apiVersion, kind: session.api }) as Shown)
}

export function captureTable(captures: readonly ShownCapture[], { allNamespaces, output }: ListOptions, nowMs: number): string {
  const isWide = output === 'wide'
  const names = [...(allNamespaces ? ['Namespace'] : []), 'Name', ...columnNames(isWide)]
  const rows = captures.map(capture => [
    ...(allNamespaces ? [capture.metadata.namespace] : []),
    capture.metadata.name,
    ...columnCells(capture, isWide, nowMs),
  ])
  const [head = '', ...lines] = table([names.map(name => name.toUpperCase()), ...rows]).split('\n')
  const at = head.indexOf('STATE')
  return [head, ...lines.map((line, index) => colouredAt(line, at, captures[index]?.status?.state))].join('\n')
}

// After the columns were laid out: what colours is as long as text.
function colouredAt(line: string, at: number, state: CaptureStateName | undefined): string {
  return state === undefined ? line : line.slice(0, at) + stateCell(state) + line.slice(at + state.length)
}
