// `explain`: prints which pods a capture or a selector matches now, and for each other pod the
// reason.
import { Command } from 'commander'
import { exitHelp } from '../../cmd/exitCodes.ts'
import { table } from '../../cmd/table.ts'
import { CommandFailure } from '../../model/errors.ts'
import { type PodMatch, podMatches } from '../client/podMatches.ts'
import { openSession } from '../client/session.ts'
import { getCapture } from '../client/wait.ts'
import { coloured, outputOption, printObject } from '../format/printer.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { readMore } from '../option/quantity.ts'
import { selectorOf, type TargetSelector } from '../option/targets.ts'

type ExplainOptions = ClusterOptions &
  TargetSelector & { readonly output?: 'yaml' | 'json' | 'name' }

export function explainCommand(): Command {
  const command = new Command('explain')
    .description('show which pods a capture takes now, and why not the others')
    .argument('[capture]', 'an existing capture; else --selector and the like')
    .option('-l, --selector <selector>', 'a Calico selector')
    .option('--pod <names>', 'as for create', readMore)
    .option('--deployment <names>', 'as for create', readMore)
    .option('--service <names>', 'as for create', readMore)
    .option('--with-replicas', 'as for create')
    .addOption(outputOption('yaml', 'json', 'name'))
  return withCluster(command).addHelpText('after', exitHelp).action(explainPods)
}

async function explainPods(name: string | undefined, options: ExplainOptions): Promise<void> {
  const hasTargets = [options.selector, options.pod, options.deployment, options.service].some(
    each => each !== undefined,
  )
  if ((name !== undefined) === hasTargets)
    throw new CommandFailure(
      'usage',
      'Cannot explain: expected either the name of a capture, or --selector, --pod, --deployment or --service',
    )
  const session = await openSession(options)
  const capture = name === undefined ? undefined : await getCapture(session, name)
  const selector = (capture ? capture.spec.selector : await selectorOf(session, options)) ?? 'all()'
  const { pods, warnings } = await podMatches(session, selector, capture?.status?.withoutAgent)
  for (const warning of warnings)
    process.stderr.write(`${coloured('yellow', warning, process.stderr)}\n`)
  if (options.output === 'name')
    process.stdout.write(
      pods
        .filter(({ isTaken }) => isTaken)
        .map(({ pod }) => `pod/${pod}\n`)
        .join(''),
    )
  else if (options.output) process.stdout.write(printObject({ selector, pods }, options.output))
  else
    process.stdout.write(
      `Selector: ${selector}\n${countsOf(pods)} in namespace "${session.namespace}"\n${podMatchTable(pods)}`,
    )
}

function countsOf(pods: readonly PodMatch[]): string {
  return `${pods.filter(({ isTaken }) => isTaken).length} of ${pods.length} pods are taken`
}

function podMatchTable(pods: readonly PodMatch[]): string {
  if (pods.length === 0) return ''
  const rows = pods.map(({ pod, node, isTaken, why }) => [isTaken ? 'yes' : 'no', pod, node, why])
  const [head = '', ...lines] = table([['TAKEN', 'POD', 'NODE', 'WHY'], ...rows]).split('\n')
  return `\n${[head, ...lines.map(line => line.replace(/^(yes|no)/, word => coloured(word === 'yes' ? 'green' : 'gray', word)))].join('\n')}`
}
