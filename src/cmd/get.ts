// `selcap get packetcaptures`: prints the captures of a status directory in kubectl's columns.
import { Command, Option } from 'commander'
import { columnCells, columnNames } from '../api/packetcapture/printerColumns.ts'
import { CommandFailure } from '../model/errors.ts'
import { type PublishedCapture, readStatusDirectory, toYaml } from '../publish/statusDirectory.ts'
import { table, widthsOf } from './table.ts'
import { watchDirectory } from './watchDirectory.ts'

const kinds = /^(packetcaptures?(\.p|\.projectcalico\.org)?|pcap)$/i

type GetOptions = {
  readonly status: string
  readonly namespace: string
  readonly allNamespaces?: boolean
  readonly output?: 'wide' | 'yaml' | 'json' | 'name'
  readonly watch?: boolean
}

export function getCommand(): Command {
  return new Command('get')
    .description('show captures and their state from a status directory')
    .argument('<kind>', 'packetcaptures (also packetcapture, pcap, packetcaptures.p)')
    .argument('[name]', 'one capture only')
    .requiredOption('--status <dir>', 'the status directory of selcap standalone')
    .option('-n, --namespace <name>', 'namespace', 'default')
    .option('-A, --all-namespaces', 'all namespaces')
    .addOption(
      new Option('-o, --output <format>', 'output format').choices([
        'wide',
        'yaml',
        'json',
        'name',
      ]),
    )
    .option('-w, --watch', 'print a line for each change from now on')
    .addHelpText(
      'after',
      '\nExit codes: 0 printed, 1 no capture of that name, 2 wrong usage or no such directory.',
    )
    .action((kind: string, name: string | undefined, options: GetOptions) =>
      get(kind, name, options),
    )
}

async function get(kind: string, name: string | undefined, options: GetOptions): Promise<void> {
  if (!kinds.test(kind))
    throw new CommandFailure('usage', `Cannot get "${kind}": expected packetcaptures`)
  if (name !== undefined && options.allNamespaces)
    throw new CommandFailure(
      'usage',
      `Cannot get "${name}" in all namespaces: expected a name or --all-namespaces, not both`,
    )
  const told = new Set<string>() // once, while it watches
  const tell = (message: string) => {
    if (!told.has(message)) process.stderr.write(`${message}\n`)
    told.add(message)
  }
  const read = () => readSelected(name, options, tell)
  if (options.watch) return watch(read, options)
  const captures = await read()
  if (name !== undefined && captures.length === 0)
    return fail(`packetcaptures "${name}" not found in namespace "${options.namespace}"`)
  if (captures.length === 0 && !['yaml', 'json'].includes(options.output ?? '')) {
    process.stderr.write(
      options.allNamespaces
        ? 'No captures found\n'
        : `No captures found in ${options.namespace} namespace\n`,
    )
    return
  }
  process.stdout.write(print(captures, name, options))
}

async function readSelected(
  name: string | undefined,
  { status, namespace, allNamespaces }: GetOptions,
  tell: (message: string) => void,
): Promise<PublishedCapture[]> {
  const captures = await readStatusDirectory(status, tell).catch((error: NodeJS.ErrnoException) => {
    throw new CommandFailure(
      'usage',
      `Cannot read --status "${status}": ${error.code ?? error.message}, expected the status directory of selcap standalone`,
    )
  })
  return captures.filter(
    ({ metadata }) =>
      (allNamespaces || metadata.namespace === namespace) &&
      (name === undefined || metadata.name === name),
  )
}

function print(
  captures: readonly PublishedCapture[],
  name: string | undefined,
  options: GetOptions,
): string {
  const whole =
    name !== undefined && captures[0]
      ? captures[0]
      : { apiVersion: 'v1', items: captures, kind: 'List', metadata: { resourceVersion: '' } }
  switch (options.output) {
    case 'yaml':
      return toYaml(whole)
    case 'json':
      return `${JSON.stringify(whole, null, 4)}\n`
    case 'name':
      return captures
        .map(({ metadata }) => `packetcapture.projectcalico.org/${metadata.name}\n`)
        .join('')
    default:
      return table([header(options), ...captures.map(capture => row(capture, options))])
  }
}

function header({ allNamespaces, output }: GetOptions): string[] {
  return [...(allNamespaces ? ['Namespace'] : []), 'Name', ...columnNames(output === 'wide')].map(
    name => name.toUpperCase(),
  )
}

function row(capture: PublishedCapture, { allNamespaces, output }: GetOptions): string[] {
  const { namespace, name } = capture.metadata
  return [
    ...(allNamespaces ? [namespace] : []),
    name,
    ...columnCells(capture, output === 'wide', Date.now()),
  ]
}

/** Prints all captures once, then each changed capture, as kubectl does. Ends with the process. */
async function watch(read: () => Promise<PublishedCapture[]>, options: GetOptions): Promise<void> {
  if (options.output === 'json' || options.output === 'name')
    throw new CommandFailure(
      'usage',
      `Cannot watch with -o ${options.output}: expected wide or yaml`,
    )
  const shown = new Map<string, string>()
  const widths: number[] = []
  const show = async () => {
    const captures = await read()
    const fresh = captures.filter(
      capture => shown.get(capture.metadata.uid) !== JSON.stringify(capture),
    )
    for (const capture of fresh) shown.set(capture.metadata.uid, JSON.stringify(capture))
    if (fresh.length === 0) return
    if (options.output === 'yaml')
      return void process.stdout.write(fresh.map(capture => `---\n${toYaml(capture)}`).join(''))
    const rows = fresh.map(capture => row(capture, options))
    const isFirst = widths.length === 0
    widthsOf([header(options), ...rows]).forEach((width, index) => {
      widths[index] = Math.max(width, widths[index] ?? 0)
    })
    process.stdout.write(table(isFirst ? [header(options), ...rows] : rows, widths))
  }
  await show()
  await watchDirectory(options.status, show)
}

function fail(message: string): void {
  process.stderr.write(`Error: ${message}\n`)
  process.exitCode = 1
}
