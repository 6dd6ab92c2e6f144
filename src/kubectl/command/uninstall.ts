// `uninstall`: removes selcap from a cluster. In: the cluster, and the user's word on captures. Out:
// nothing of selcap in the API server, and on the nodes only what was to be kept. In this order:
// captures, agents, files of nodes, everything else, the namespace. Interrupted, it goes on when it
// is run again. Refuses what Helm installed.

import { createInterface } from 'node:readline/promises'
import { setTimeout } from 'node:timers/promises'
import { Command } from 'commander'
import { exitHelp } from '../../cmd/exitCodes.ts'
import type { Kube } from '../../kube/request.ts'
import { CommandFailure } from '../../model/errors.ts'
import { accounts, captureGroups, systemNamespace } from '../../model/wellKnown.ts'
import { openSession } from '../client/session.ts'
import { type FoundCapture, findCaptures, removeCaptures } from '../install/captures.ts'
import {
  cleanDaemonSet,
  cleanedDirectories,
  leftCleaning,
  onNoNode,
} from '../install/cleanDaemonSet.ts'
import {
  apply,
  cleaner,
  findInstalled,
  type Manifest,
  namespaceOf,
  pathOf,
  read,
  remove,
  textOf,
} from '../install/objects.ts'
import { removeDaemonSet } from '../install/removeDaemonSet.ts'
import { roleBindingsLeft } from '../install/roleBindings.ts'
import { removeAt } from '../install/throwAway.ts'
import { waitUntil } from '../install/waitUntil.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { readSeconds } from '../option/quantity.ts'

type UninstallOptions = ClusterOptions & {
  readonly yes?: boolean
  readonly keepFiles?: boolean
  readonly at?: string
  readonly timeout: number
}

export function uninstallCommand(): Command {
  return withCluster(
    new Command('uninstall').description('remove selcap, all captures and their files'),
    'the namespace that selcap is in; default: where it is found',
  )
    .option('--yes', 'do not ask, although captures are removed')
    .option('--keep-files', 'leave on the nodes what was captured')
    .option('--at <time>', 'wait until then; a throw-away installation does')
    .option('--timeout <duration>', 'how long to wait for each step', readSeconds, 120)
    .addHelpText('after', exitHelp)
    .action(uninstall)
}

async function uninstall(options: UninstallOptions): Promise<void> {
  const { kube, nowMs } = await openSession({ apiGroup: captureGroups.calico, ...options })
  if (options.at !== undefined) await untilTime(options.at, nowMs)
  const installed = await installedOf(kube, options)
  const daemonSets = `/apis/apps/v1/namespaces/${installed.namespace}/daemonsets`
  const agents = await read(kube, `${daemonSets}/${accounts.agent}`)
  const left = await read(kube, `${daemonSets}/${cleaner}`) // by an uninstall that was interrupted
  refuseHelm(agents)
  const captures = await findCaptures(kube)
  await confirm(captures, options)
  const bindings = await roleBindingsLeft(kube, installed.objects)
  const cleaning = agents ? cleanDaemonSet(agents) : left && leftCleaning(left)

  if (!options.keepFiles) await removeCaptures(kube, captures, options.timeout, say)
  const isCleaned = cleaning !== undefined && !options.keepFiles
  // From here on an interrupted uninstall finds what is to be cleaned, also without the agents.
  if (isCleaned && agents) await apply(kube, onNoNode(cleaning))
  const { namespace } = installed
  const { timeout: seconds } = options
  if (agents || left)
    await removeDaemonSet(kube, { name: accounts.agent, namespace }, { seconds, nowMs })
  if (isCleaned) await cleanNodes(kube, cleaning, options)
  for (const object of installed.objects) {
    await remove(kube, object)
    say(`${textOf(object)} deleted`)
  }
  const path = `/api/v1/namespaces/${installed.namespace}`
  const isDeleted = installed.objects.some(({ kind }) => kind === 'Namespace')
  if (isDeleted && !installed.isThrowAway)
    await waitUntil(
      `the namespace ${installed.namespace} is gone`,
      options.timeout,
      async () => (await read(kube, path)) === undefined,
    )
  const directories = cleaning ? cleanedDirectories(cleaning) : []
  if (options.keepFiles && directories.length > 0)
    say(`What was captured stays on the nodes: ${directories.join(', ')}`)
  for (const line of bindings) say(line)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

type Installed = {
  readonly namespace: string
  readonly objects: readonly Manifest[] // to be deleted, in this order
  readonly isThrowAway: boolean
}

/** Of a throw-away installation the Namespace owns all else. */
async function installedOf(kube: Kube, options: UninstallOptions): Promise<Installed> {
  const { namespace: named = systemNamespace } = options
  const owner = await read(kube, `/api/v1/namespaces/${named}`)
  if (options.at !== undefined && owner?.metadata.annotations?.[removeAt] !== undefined) {
    const object = { ...owner, apiVersion: 'v1', kind: 'Namespace' }
    return { namespace: named, objects: [object], isThrowAway: true }
  }
  const objects = await findInstalled(kube)
  if (objects.length === 0)
    throw new CommandFailure('notFound', 'Cannot uninstall: nothing of selcap is installed')
  const namespace = namespaceOf(objects, options.namespace)
  return { namespace, objects, isThrowAway: false }
}

function refuseHelm(agents: Manifest | undefined): void {
  const { annotations = {}, namespace = '' } = agents?.metadata ?? {}
  const release = annotations['meta.helm.sh/release-name']
  if (release !== undefined)
    throw new CommandFailure(
      'usage',
      `Cannot uninstall: it is a release of Helm, expected helm uninstall ${release} -n ${namespace}`,
    )
}

async function confirm(
  captures: readonly FoundCapture[],
  { yes = false, keepFiles = false }: UninstallOptions,
): Promise<void> {
  if (captures.length === 0 || yes) return
  const namespaces = [...new Set(captures.map(({ namespace }) => namespace || 'the cluster'))]
  const what = `${captures.length} captures in ${namespaces.slice(0, 10).join(', ')}${namespaces.length > 10 ? '…' : ''}`
  const files = keepFiles ? 'their files stay on the nodes' : 'with all their files'
  if (!process.stdin.isTTY)
    throw new CommandFailure(
      'usage',
      `Cannot uninstall: it would remove ${what}, ${files}; expected --yes`,
    )
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`Remove selcap and ${what}, ${files}? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure('interrupted', 'Nothing removed')
}

/** Of the files that agents cannot remove themselves. */
async function cleanNodes(
  kube: Kube,
  cleaning: Manifest,
  { timeout }: UninstallOptions,
): Promise<void> {
  const { metadata } = await apply(kube, cleaning)
  say(`Cleaning the nodes: ${cleanedDirectories(cleaning).join(', ')}`)
  const isClean = async () => {
    const { status = {} } = (await read<{ readonly status?: DaemonSetStatus }>(kube, pathOf(cleaning))) ?? {} // biome-ignore format: one line
    const { observedGeneration = 0, desiredNumberScheduled = 0, numberReady = 0 } = status
    const isSeen = observedGeneration >= (metadata.generation ?? 1)
    return isSeen && numberReady >= desiredNumberScheduled
  }
  await waitUntil('every node is clean', timeout, isClean).catch(error => {
    if (!(error instanceof CommandFailure)) throw error
    process.stderr.write(`${error.message}: what is left is in the directories above\n`)
  })
  await remove(kube, cleaning)
}

type DaemonSetStatus = {
  readonly observedGeneration?: number
  readonly desiredNumberScheduled?: number
  readonly numberReady?: number
}

async function untilTime(at: string, nowMs: () => number): Promise<void> {
  const atMs = Date.parse(at)
  if (Number.isNaN(atMs))
    throw new CommandFailure('usage', `Cannot read the time "${at}": expected RFC 3339`)
  while (nowMs() < atMs) await setTimeout(Math.min(atMs - nowMs(), 60_000))
}
