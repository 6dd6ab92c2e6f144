// `install`: applies the manifests that travel with the plugin. In: components, an image, a
// namespace. Out: the objects in the cluster, or printed. Refuses where Calico serves the resource
// itself, and waits for a namespace that is going away.
import { Command, Option } from 'commander'
import { stringify } from 'yaml'
import { exitHelp } from '../../cmd/exitCodes.ts'
import type { Kube } from '../../kube/request.ts'
import { CommandFailure } from '../../model/errors.ts'
import { captureGroups, labels, systemNamespace } from '../../model/wellKnown.ts'
import { openSession } from '../client/session.ts'
import {
  apply,
  cleaner,
  findInstalled,
  imageOf,
  isServed,
  list,
  type Manifest,
  pathOf,
  read,
  textOf,
} from '../install/objects.ts'
import { removeDaemonSet, type Wait } from '../install/removeDaemonSet.ts'
import { renderManifests } from '../install/renderManifests.ts'
import { ownedBy, removeAt, uninstallJob } from '../install/throwAway.ts'
import { waitUntil } from '../install/waitUntil.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { readSeconds } from '../option/quantity.ts'

type InstallOptions = ClusterOptions & {
  readonly components: readonly string[]
  readonly image?: string
  readonly createNamespace: boolean
  readonly dryRun?: boolean
  readonly for?: number
  readonly timeout: number
}

export function installCommand(): Command {
  return withCluster(
    new Command('install').description('install selcap, or bring an installation up to date'),
    `the namespace to install into; default: ${systemNamespace}`,
  )
    .addOption(
      new Option('--components <names>', 'what else there is: retina,packetcaptureconfig,own-group…')
        .argParser((text: string) => text.split(',').filter(name => name !== ''))
        .default([], 'none'),
    )
    .option('--image <image>', 'NAME:TAG or NAME@sha256:…, as nodes pull it')
    .option('--no-create-namespace', 'the namespace is there, with the labels that let agents run')
    .option('--dry-run', 'print the manifests and change nothing')
    .option('--for <duration>', 'a throw-away installation: it removes itself after this time', readSeconds) // biome-ignore format: a line an option
    .option('--timeout <duration>', 'how long to wait for a namespace that is going away', readSeconds, 120) // biome-ignore format: a line an option
    .addHelpText('after', exitHelp)
    .action(install)
}

async function install(options: InstallOptions): Promise<void> {
  const { namespace = systemNamespace, components, image } = options
  const isThrowAway = options.for !== undefined
  if (isThrowAway && !options.createNamespace)
    throw new CommandFailure(
      'usage',
      'Cannot install with --for into a namespace of others: it would be deleted with the installation',
    )
  const objects = await renderManifests({
    components,
    image,
    namespace,
    hasNamespace: options.createNamespace,
  })
  if (options.dryRun) {
    process.stdout.write(objects.map(object => `---\n${stringify(object)}`).join(''))
    return
  }
  const { kube, nowMs } = await openSession({ apiGroup: captureGroups.calico, ...options })
  await refuseForeign(kube, objects)
  await refuseUnserved(kube, objects)
  if (isThrowAway && (await findInstalled(kube)).length > 0)
    throw new CommandFailure('conflict', 'Cannot install with --for: selcap is installed already')
  await untilGone(kube, namespace, options.timeout)
  await removeCleaners(kube, { seconds: options.timeout, nowMs })
  const at = isThrowAway ? new Date(nowMs() + (options.for ?? 0) * 1_000).toISOString() : undefined
  await applyAll(kube, objects, namespace, at)
  process.stdout.write(
    `${at === undefined ? '' : `removes itself at ${at}; kubectl pcap uninstall does so before\n`}` +
      `kubectl rollout status daemonset/selcap-agent -n ${namespace} tells when it is ready\n`,
  )
}

async function applyAll(
  kube: Kube,
  objects: readonly Manifest[],
  namespace: string,
  at: string | undefined,
): Promise<void> {
  const applied = async (object: Manifest): Promise<Manifest> => {
    const result = await apply(kube, object)
    process.stdout.write(`${textOf(object)} applied\n`)
    return result
  }
  const first = objects.find(({ kind }) => kind === 'Namespace')
  if (at === undefined || first === undefined) {
    for (const object of objects) await applied(object)
    return
  }
  const annotations = { ...first.metadata.annotations, [removeAt]: at }
  const owner = await applied({ ...first, metadata: { ...first.metadata, annotations } })
  const image = imageOf(objects)
  for (const object of ownedBy(owner, [
    ...objects.filter(each => each !== first),
    ...uninstallJob(namespace, image, at),
  ]))
    await applied(object)
}

/** Whoever serves the resource keeps it. */
async function refuseForeign(kube: Kube, objects: readonly Manifest[]): Promise<void> {
  for (const object of objects) {
    if (object.kind !== 'CustomResourceDefinition') continue
    const found = await read(kube, pathOf(object))
    const { group = '' } = object.spec as { readonly group?: string }
    const service = await read<{ readonly spec?: { readonly service?: object } }>(
      kube,
      `/apis/apiregistration.k8s.io/v1/apiservices/v3.${group}`,
    )
    const isForeign = found !== undefined && found.metadata.labels?.[labels.partOf] !== 'selcap'
    if (isForeign || service?.spec?.service !== undefined)
      throw new CommandFailure(
        'conflict',
        `Cannot install: something else serves ${object.metadata.name} here` +
          (group === captureGroups.calico
            ? '; --components own-group uses a group of its own'
            : ''),
      )
  }
}

/** Before anything is written: half an installation is worse than none. */
async function refuseUnserved(kube: Kube, objects: readonly Manifest[]): Promise<void> {
  for (const apiVersion of new Set(objects.map(object => object.apiVersion)))
    if (!(await isServed(kube, apiVersion)))
      throw new CommandFailure(
        'conflict',
        `Cannot install: this cluster does not have ${apiVersion}, which a component needs`,
      )
}

/** Left by an uninstall that was interrupted: they would remove what the new agents capture. */
async function removeCleaners(kube: Kube, wait: Wait): Promise<void> {
  const found = await list(kube, '/apis/apps/v1/daemonsets', `${labels.name}=${cleaner}`)
  for (const { metadata } of found)
    await removeDaemonSet(kube, { name: cleaner, namespace: metadata.namespace ?? '' }, wait)
}

/** A namespace that is going away takes nothing new, and takes along what it has. */
async function untilGone(kube: Kube, namespace: string, seconds: number): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}`
  const isGoing = async () => (await read(kube, path))?.metadata.deletionTimestamp !== undefined
  if (!(await isGoing())) return
  process.stderr.write(`Waiting for the namespace ${namespace}, which is being deleted\n`)
  await waitUntil(`the namespace ${namespace} is gone`, seconds, async () => !(await isGoing()))
}
