// `list`: prints the captures of one or all namespaces. In: kinds and a format. Out: a table per
// kind with kubectl's columns, or objects. A kind that the user may not list is left out with a note.
import { Command } from 'commander'
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { exitHelp } from '../../cmd/exitCodes.ts'
import { table } from '../../cmd/table.ts'
import type { Api } from '../../model/captureRef.ts'
import { exitCodes } from '../../model/codes.ts'
import { CommandFailure } from '../../model/errors.ts'
import { type ListedCapture, listOf } from '../client/captures.ts'
import { openSession, type Session } from '../client/session.ts'
import { captureTable } from '../format/captureTable.ts'
import { type OtherApiRow, otherApiTable } from '../format/otherApis.ts'
import { type OutputFormat, outputOption, printList } from '../format/printer.ts'
import { apiKindOf, servedApis, withApi } from '../option/apiKind.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'

type ListOptions = ClusterOptions & {
  readonly allNamespaces?: boolean
  readonly output?: OutputFormat
}

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
  const found = await listEach(session, apis, options.allNamespaces === true)
  const kinds = found.filter(({ items }) => items.length > 0)
  const all = kinds.flatMap(({ items }) => items)
  if (options.output === 'json' || options.output === 'yaml')
    return void process.stdout.write(printList(all, options.output))
  if (options.output === 'name')
    return void process.stdout.write(
      all.map(({ kind, metadata }) => `${apiKindOf(session, kind, metadata.name)}\n`).join(''),
    )
  if (all.length === 0) {
    process.stderr.write(
      options.allNamespaces
        ? 'No captures found\n'
        : `No captures found in ${session.namespace} namespace\n`,
    )
    return
  }
  const tables = kinds.map(({ api, items }) => {
    const named =
      kinds.length === 1
        ? items
        : items.map(item => withName(item, apiKindOf(session, api, item.metadata.name)))
    if (api === 'PacketCapture')
      return captureTable(named as ShownCapture[], options, session.nowMs())
    const [head = [], ...rows] = otherApiTable(named as OtherApiRow[], api, session.nowMs())
    const namespaces = ['NAMESPACE', ...items.map(({ metadata }) => metadata.namespace ?? '')]
    return table(
      [head, ...rows].map((row, index) =>
        options.allNamespaces ? [namespaces[index] ?? '', ...row] : row,
      ),
    )
  })
  process.stdout.write(tables.join('\n'))
}

type Listed = { readonly api: Api; readonly items: readonly ListedCapture[] }

/** A kind that the user may not list is left out with a note, unless it is every kind. */
async function listEach(
  session: Session,
  apis: readonly Api[],
  isEverywhere: boolean,
): Promise<readonly Listed[]> {
  const listed = await Promise.all(
    apis.map(async api => ({
      api,
      items: await listOf({ ...session, api }, isEverywhere).catch(refusalOf),
    })),
  )
  const refused = listed.flatMap(({ items }) => (items instanceof CommandFailure ? [items] : []))
  const [first] = refused
  if (first && refused.length === apis.length) throw first
  for (const { message } of refused) process.stderr.write(`Left out: ${message}\n`)
  return listed.flatMap(({ api, items }) => (items instanceof CommandFailure ? [] : [{ api, items }])) // biome-ignore format: one line
}

function refusalOf(error: unknown): CommandFailure {
  if (error instanceof CommandFailure && error.exitCode === exitCodes.notAllowed) return error
  throw error
}

function withName<T extends ListedCapture>(capture: T, name: string): T {
  return { ...capture, metadata: { ...capture.metadata, name } }
}
