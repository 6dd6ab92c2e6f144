// `describe`: prints one capture in full: its spec, the state of each node and endpoint, packet
// loss and gaps. Lists the pods that its selector matches now.
import { Command } from 'commander'
import { stringify } from 'yaml'
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { exitHelp } from '../../cmd/exitCodes.ts'
import { table } from '../../cmd/table.ts'
import type { EndpointStatus, FileStatus, UploadStatus } from '../../model/status.ts'
import { pluralize } from '../../model/text.ts'
import { type PodMatch, podMatchesOrReason } from '../client/podMatches.ts'
import { openSession, type Session } from '../client/session.ts'
import { getCapture, messageOf } from '../client/wait.ts'
import { artifactLines, type OtherApiRow, otherApiHead } from '../format/otherApis.ts'
import { coloured, outputOption, printObject, stateCell } from '../format/printer.ts'
import { sizeText } from '../format/sizes.ts'
import { apiKindOf, sessionFor, withApi } from '../option/apiKind.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { forEachName } from '../option/forEachName.ts'

export function describeCommand(): Command {
  const command = new Command('describe').description(
    'show a capture in full: nodes, endpoints, losses, gaps',
  )
  return withApi(withCluster(command.argument('<capture...>', 'names')))
    .addOption(outputOption('yaml', 'json', 'name'))
    .addHelpText('after', exitHelp)
    .action(describe)
}

type DescribeOptions = ClusterOptions & { readonly output?: 'yaml' | 'json' | 'name' }
type Described = {
  readonly capture: ShownCapture
  readonly pods?: readonly PodMatch[]
  readonly podsUnknown?: string
}

async function describe(
  names: readonly string[],
  { output, ...options }: DescribeOptions,
): Promise<void> {
  const session = await openSession(options)
  const all: Described[] = []
  const print = async (name: string) => {
    const target = await sessionFor(session, name)
    const capture = await getCapture(target, name)
    if (output === 'name')
      return void process.stdout.write(`${apiKindOf(session, target.api, name)}\n`)
    if (target.api !== 'PacketCapture') {
      all.push({ capture })
      if (!output)
        process.stdout.write(
          `${all.length > 1 ? '\n' : ''}${describeOtherApi(capture as object as OtherApiRow)}`,
        )
      return
    }
    const described = { capture, ...(await podsOf(session, capture)) }
    all.push(described)
    if (output) return
    process.stdout.write(
      `${all.length > 1 ? '\n' : ''}${describeCapture(capture)}Matches now:${matchesText(described)}\n`,
    )
  }
  try {
    await forEachName(names, print)
  } finally {
    const [first] = all
    if (first && output && output !== 'name')
      process.stdout.write(printObject(names.length === 1 ? first : all, output))
  }
}

function describeOtherApi(capture: OtherApiRow): string {
  const nodes = (capture.status?.files ?? []).map(
    file =>
      `${describeNode(file)}${artifactLines(file)
        .map(line => `  ${line}\n`)
        .join('')}`,
  )
  return otherApiHead(capture) + nodes.join('')
}

export function describeCapture(capture: ShownCapture): string {
  const { metadata, spec, status } = capture
  const { selector, ...rest } = spec
  const message = messageOf(capture)
  const facts: [string, string][] = [
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Created', metadata.creationTimestamp],
    ['Selector', selector || 'all()'],
    ...(Object.keys(rest).length > 0
      ? [['Spec', indented(stringify(rest, { lineWidth: 0 }))] as [string, string]]
      : []),
    ['State', stateCell(status?.state)],
    ...(message ? [['Message', indented(message)] as [string, string]] : []),
    ...(status ? totals(status) : []),
  ]
  const width = Math.max(...facts.map(([name]) => name.length)) + 2
  const lines = facts.map(
    ([name, value]) => `${`${name}:`.padEnd(value.startsWith('\n') ? 0 : width)}${value}\n`,
  )
  return `${lines.join('')}${(status?.files ?? []).map(describeNode).join('')}`
}

function totals({
  nodes,
  endpoints,
  packets,
  bytes,
  dropped,
  conditions,
}: NonNullable<ShownCapture['status']>): [string, string][] {
  const degraded = conditions.find(({ type, status }) => type === 'Degraded' && status === 'True')
  return [
    [
      'Totals',
      `${[pluralize(nodes, 'node'), pluralize(endpoints, 'endpoint'), pluralize(packets, 'packet')].join(', ')}, ${sizeText(bytes)}`,
    ],
    ['Dropped', dropped > 0 ? coloured('red', pluralize(dropped, 'packet')) : 'none'],
    ...(degraded
      ? [
          ['Degraded', coloured('yellow', indented(`${degraded.reason}: ${degraded.message}`))] as [
            string,
            string,
          ],
        ]
      : []),
  ]
}

function describeNode({
  node,
  state,
  message,
  directory,
  fileNames,
  endpoints,
  uploads = [],
}: FileStatus): string {
  const rows = endpoints.map(each => [
    each.pod,
    each.interface ?? '',
    each.vantage ?? '',
    each.state,
    `${each.packets}`,
    sizeText(each.bytes),
    `${each.dropped}`,
  ])
  const shown =
    rows.length > 0
      ? table([['POD', 'INTERFACE', 'VANTAGE', 'STATE', 'PACKETS', 'BYTES', 'DROPPED'], ...rows])
      : ''
  const said = [
    ...(message ? [message] : []),
    ...endpoints.flatMap(row => notesOf(row, isOneOfMany(row, endpoints))),
    ...uploads.map(uploadNote),
  ]
  return `
Node ${node}: ${stateCell(state)}
  ${pluralize(fileNames.length, 'file')} in ${directory}
${indent(shown)}${said.map(line => `  ${indented(line, 2)}\n`).join('')}`
}

/** A file may have several uploads. */
function uploadNote({ file, uploaded, error }: UploadStatus): string {
  return uploaded === undefined
    ? `${file} not uploaded: ${error ?? 'not yet'}`
    : `${file} uploaded to ${uploaded}`
}

function isOneOfMany({ pod }: EndpointStatus, rows: readonly EndpointStatus[]): boolean {
  return rows.filter(row => row.pod === pod).length > 1
}

function notesOf(row: EndpointStatus, isOneOfMany: boolean): string[] {
  const { pod, message, gaps } = row
  const name = isOneOfMany && row.interface !== undefined ? `${pod}/${row.interface}` : pod
  return [
    ...(message ? [`${name}: ${message}`] : []),
    ...gaps.map(({ from, to, reason }) => `${name}: gap from ${from} to ${to ?? 'now'}: ${reason}`),
  ]
}

async function podsOf(
  session: Session,
  { spec, metadata, status }: ShownCapture,
): Promise<Omit<Described, 'capture'>> {
  const matches = await podMatchesOrReason(
    { ...session, namespace: metadata.namespace },
    spec.selector ?? 'all()',
    status?.withoutAgent,
  )
  return 'reason' in matches ? { podsUnknown: matches.reason } : { pods: matches.pods }
}

function matchesText({ pods, podsUnknown = '' }: Omit<Described, 'capture'>): string {
  if (!pods) return ` unknown: ${indented(podsUnknown)}`
  const taken = pods.filter(({ isTaken }) => isTaken)
  const others = pods
    .filter(({ isTaken, isMatch }) => isMatch && !isTaken)
    .map(({ pod, why }) => `\n  not ${pod}: ${why}`)
  return ` ${taken.length} of ${pods.length} pods${taken.map(({ pod, node }) => `\n  ${pod} on ${node}`).join('')}${others.join('')}`
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, '  ')
}

// A value of several lines is printed below its name.
function indented(text: string, by = 2): string {
  const lines = text.trimEnd()
  return lines.includes('\n')
    ? lines.replaceAll(/^(?=.)/gm, ' '.repeat(by)).replace(/^/, '\n')
    : lines
}
