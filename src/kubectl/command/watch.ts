// `watch`: prints captures as they change. A terminal gets a table that is redrawn, with progress
// towards the limit or the end. Otherwise each change is a line, as with kubectl. With a name it
// ends when the capture has finished.

import { Command } from 'commander'
import {
  columnCells,
  columnNames,
  type ShownCapture,
} from '../../api/packetcapture/printerColumns.ts'
import { exitHelp, interruption } from '../../cmd/exitCodes.ts'
import { Informer, type KubeObject } from '../../kube/informer.ts'
import { CommandFailure } from '../../model/errors.ts'
import { systemClock } from '../../runtime/clock.ts'
import { listCaptures } from '../client/captures.ts'
import { capturesPath, openSession, type Session } from '../client/session.ts'
import { getCapture, messageOf } from '../client/wait.ts'
import { liveTable } from '../format/liveTable.ts'
import { nameOf, outputOption, printObject } from '../format/printer.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'

type WatchOptions = ClusterOptions & {
  readonly allNamespaces?: boolean
  readonly output?: 'wide' | 'json' | 'yaml' | 'name'
}
type Watched = ShownCapture & KubeObject

const redrawMs = 1_000

export function watchCommand(): Command {
  return withCluster(
    new Command('watch')
      .description('follow captures; ends with the capture when one is named')
      .argument('[capture]', 'one alone'),
  )
    .option('-A, --all-namespaces', 'all namespaces')
    .addOption(outputOption('wide', 'json', 'yaml', 'name'))
    .addHelpText('after', exitHelp)
    .action(watch)
}

async function watch(name: string | undefined, options: WatchOptions): Promise<void> {
  const session = await openSession(options)
  if (name === undefined)
    await listCaptures(session, options.allNamespaces === true) // a refusal fails at once instead of being retried
  else await getCapture(session, name)
  await using captures = follow(session, name, options.allNamespaces === true)
  const show = process.stdout.isTTY && !options.output ? drawer(session) : liner(session, options)
  const ended = Promise.withResolvers<ShownCapture | undefined>()
  const draw = () => {
    const all = [...captures.objects.values()].toSorted((a, b) => keyOf(a).localeCompare(keyOf(b)))
    show(all)
    if (name !== undefined && captures.hasSynced && (all[0] === undefined || isOver(all[0])))
      ended.resolve(all[0])
  }
  captures.onChange(draw)
  captures.start()
  const timer = process.stdout.isTTY ? setInterval(draw, redrawMs) : undefined // ages and progress change with time
  const stop = () => ended.reject(new CommandFailure('interrupted', ''))
  interruption().addEventListener('abort', stop)
  process.stdout.on('error', stop) // the reader closed the pipe
  try {
    printEnd(await ended.promise, name ?? '')
  } finally {
    clearInterval(timer)
  }
}

function printEnd(capture: ShownCapture | undefined, name: string): void {
  if (!capture)
    throw new CommandFailure('notFound', `Cannot watch "${name}" any longer: it was deleted`)
  if (capture.status?.state === 'Error')
    throw new CommandFailure('captureError', `Cannot capture "${name}": ${messageOf(capture)}`)
}

function isOver({ status, metadata }: ShownCapture): boolean {
  return (
    status !== undefined &&
    status.observedGeneration >= metadata.generation &&
    ['Finished', 'Error'].includes(status.state)
  )
}

function follow(
  session: Session,
  name: string | undefined,
  isEverywhere: boolean,
): Informer<Watched> {
  const path = capturesPath(session, isEverywhere ? undefined : session.namespace)
  return new Informer<Watched>({
    kube: session.kube,
    clock: systemClock,
    path,
    ...(name !== undefined && { query: { fieldSelector: `metadata.name=${name}` } }),
  })
}

function drawer(session: Session): (captures: readonly ShownCapture[]) => void {
  let lines = 0
  return captures => {
    const text = liveTable(captures, session.nowMs(), process.stdout.columns || 80)
    process.stdout.write(`${lines > 0 ? `\u001b[${lines}A` : ''}\u001b[J${text}`)
    lines = text.split('\n').length - 1
  }
}

/** Prints each changed capture; columns grow with the widest cell so far. */
function liner(
  session: Session,
  { output, allNamespaces }: WatchOptions,
): (captures: readonly ShownCapture[]) => void {
  const shown = new Map<string, string>()
  const widths: number[] = []
  const line = (cells: readonly string[]) => {
    for (const [index, cell] of cells.entries())
      widths[index] = Math.max(widths[index] ?? 0, cell.length)
    return `${cells
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join('   ')
      .trimEnd()}\n`
  }
  const names = [
    ...(allNamespaces ? ['Namespace'] : []),
    'Name',
    ...columnNames(output === 'wide'),
  ].map(each => each.toUpperCase())
  return captures => {
    const fresh = captures.filter(capture => shown.get(keyOf(capture)) !== versionOf(capture))
    for (const capture of fresh) {
      if (output === 'json') process.stdout.write(`${JSON.stringify(capture)}\n`)
      else if (output === 'yaml') process.stdout.write(`---\n${printObject(capture, 'yaml')}`)
      else if (output === 'name')
        process.stdout.write(`${nameOf(session.group, capture.metadata.name)}\n`)
      else {
        const cells = columnCells(capture, output === 'wide', session.nowMs())
        const row = [
          ...(allNamespaces ? [capture.metadata.namespace] : []),
          capture.metadata.name,
          ...cells,
        ]
        if (shown.size === 0) {
          line(row) // so that the first row and the headings align
          process.stdout.write(line(names))
        }
        process.stdout.write(line(row))
      }
      shown.set(keyOf(capture), versionOf(capture))
    }
  }
}

function keyOf({ metadata }: ShownCapture): string {
  return `${metadata.namespace}/${metadata.name}`
}

function versionOf(capture: ShownCapture): string {
  return `${capture.metadata.uid}/${(capture as Watched).metadata.resourceVersion}`
}
