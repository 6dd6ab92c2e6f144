// What tests of Retina's archives share: nodes that keep them, a capture that makes them, and
// waiting for what becomes of it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RetinaStatus } from '../../../src/api/retina/status.ts'
import { root } from '../repository.ts'
import { untilFound } from '../until.ts'
import type { Child } from './child.ts'
import type { SimulatedCluster, SimulatedNode, SimulatedPod } from './simulated.ts'

export type ArchiveStatus = Partial<RetinaStatus>
export type Place = { readonly node: SimulatedNode; readonly pod: SimulatedPod }

export async function installRetina(cluster: SimulatedCluster): Promise<void> {
  await cluster.api.kubectl('apply', '-k', join(root, 'daemonset/apis/retina'))
  await cluster.api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
  await cluster.api.kubectl('create', 'namespace', 'shop')
}

/**
 * A node with an agent that keeps archives in a directory of its own, and one pod for
 * archivedCapture().
 */
export async function addPlace(
  cluster: SimulatedCluster,
  number: number,
  podOptions: { readonly spec?: object } = {},
): Promise<Place> {
  const node = await cluster.addNode(`node-${number}`)
  const pod = await node.addPod('shop', `web-${number}`, { app: 'web' }, podOptions)
  const config = join(cluster.directory, `node-${number}.yaml`)
  const base = join(cluster.directory, `node-${number}-archives`)
  writeFileSync(config, `captureHostPathBaseDir: ${base}\ncaptureDiskFreePercentMin: 0\n`)
  await node.startAgent(['--apis', 'retina', '--config', config])
  return { node, pod }
}

export function archivedCapture(
  name: string,
  duration: string,
  outputConfiguration: object,
  more: object = {},
): object {
  return {
    apiVersion: 'retina.sh/v1alpha1',
    kind: 'Capture',
    metadata: { name, namespace: 'shop' },
    spec: {
      captureConfiguration: {
        captureTarget: { podSelector: { matchLabels: { app: 'web' } } },
        captureOption: { duration, pcapFilter: 'udp' },
        includeMetadata: false,
      },
      outputConfiguration,
      ...more,
    },
  }
}

export const archivesOf = ({ files = [] }: ArchiveStatus): string[] =>
  files.flatMap(({ artifact }) => artifact?.files.map(({ path }) => path) ?? [])

export async function isThere(cluster: SimulatedCluster, name: string): Promise<boolean> {
  return (await cluster.api.ask(['get', 'captures.retina.sh', name, '-n', 'shop'])).code === 0
}

export async function statusOf(cluster: SimulatedCluster, name: string): Promise<ArchiveStatus> {
  return (
    (await cluster.get<{ status?: ArchiveStatus }>('captures.retina.sh', name, '-n', 'shop'))
      .status ?? {}
  )
}

/** Looks until there is something; says what the controller said last when it waited in vain. */
export async function found<T>(
  what: string,
  look: () => Promise<T | undefined>,
  controller: Child,
): Promise<T> {
  return untilFound(what, look, { everyMs: 200, tails: [controller] })
}

export function untilStatus(
  cluster: SimulatedCluster,
  name: string,
  what: string,
  isSo: (status: ArchiveStatus) => boolean,
  controller: Child,
): Promise<ArchiveStatus> {
  const look = async () => {
    const status = await statusOf(cluster, name)
    return isSo(status) ? status : undefined
  }
  return found(what, look, controller)
}

export async function untilGone(
  cluster: SimulatedCluster,
  name: string,
  controller: Child,
): Promise<void> {
  await found(
    `${name} to go`,
    async () => ((await isThere(cluster, name)) ? undefined : true),
    controller,
  )
}

/** On so many nodes, and none has had a packet. */
export function isOpenOn(nodes: number): (status: ArchiveStatus) => boolean {
  return ({ files = [] }) =>
    files.length === nodes && files.every(({ state }) => state === 'WaitingForTraffic')
}
