// `list`: the captures of a namespace or of all, in the columns of kubectl.
import { Command } from 'commander'
import { columnCells, columnNames, type ShownCapture } from '../../status/columns.ts'
import type { CaptureState } from '../../status/types.ts'
import { table } from '../table.ts'
import { exitHelp } from './exit.ts'
import { nameOf, type OutputFormat, outputOption, printList, stateCell } from './output.ts'
import { ask, type ClusterOptions, capturesPath, openSession, type Session, withCluster } from './session.ts'

type ListOptions = ClusterOptions & { readonly allNamespaces?: boolean; readonly output?: OutputFormat }

export function listCommand(): Command {
  return withCluster(new Command('list').description('show captures and how they stand'))
    .option('-A, --all-namespaces', 'all namespaces')
    .addOption(outputOption('wide', 'yaml', 'json', 'name'))
    .addHelpText('after', exitHelp)
    .action(list)
}

async function list(options: ListOptions): Promise<void> {
  const session = await openSession(options)
  const captures = await listCaptures(session, options.allNamespaces === true)
  if (options.output === 'json' || options.output === 'yaml') return void process.stdout.write(printList(captures, options.output))
  if (options.output === 'name')
    return void process.stdout.write(captures.map(({ metadata }) => `${nameOf(session.group, metadata.name)}\n`).join(''))
  if (captures.length === 0) {
    process.stderr.write(options.allNamespaces ? 'No captures found\n' : `No captures found in ${session.namespace} namespace\n`)
    return
  }
  process.stdout.write(captureTable(captures, options, session.nowMs()))
}

/** With what the API server leaves out of the items of a list, and in the order of their names. */
export async function listCaptures(session: Session, isEverywhere: boolean): Promise<ShownCapture[]> {
  const path = capturesPath(session, isEverywhere ? undefined : session.namespace)
  const { items } = await ask<{ readonly items: readonly ShownCapture[] }>(session.kube, { path, what: 'list captures' })
  return items.map(item => ({ ...item, apiVersion: `${session.group}/v3`, kind: 'PacketCapture' as const }))
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
function colouredAt(line: string, at: number, state: CaptureState | undefined): string {
  return state === undefined ? line : line.slice(0, at) + stateCell(state) + line.slice(at + state.length)
}
