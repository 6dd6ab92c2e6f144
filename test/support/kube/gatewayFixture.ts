// One node with an agent, a pod and a capture, a gateway, and people: who may read files in shop,
// and who may not.
//   const stage = await makeStage(cluster())        stage.gateway.ask({ path: filesPath, token: stage.dev })
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { until } from '../until.ts'
import type { Child } from './child.ts'
import { GatewayClient } from './gatewayClient.ts'
import {
  packetCapture,
  type SimulatedCluster,
  type SimulatedNode,
  type SimulatedPod,
} from './simulated.ts'

export const zipPath = '/packet-capture/download/shop/web/files.zip'
export const filesPath = '/v1/namespaces/shop/packetcaptures/web/files'

export type Stage = {
  readonly cluster: SimulatedCluster
  readonly node: SimulatedNode
  readonly pod: SimulatedPod
  readonly gateway: GatewayClient
  readonly dev: string // a token
  readonly stranger: string
}

export async function makeStage(
  cluster: SimulatedCluster,
  options: readonly string[] = [],
): Promise<Stage> {
  await cluster.api.kubectl('create', 'namespace', 'shop')
  const node = await cluster.addNode('node-1')
  const pod = await node.addPod('shop', 'web-0', { app: 'web' })
  await node.startAgent()
  const gateway = await GatewayClient.start(cluster, 8_443, options)
  for (const name of ['dev', 'stranger'])
    await cluster.api.kubectl('create', 'serviceaccount', name, '-n', 'shop')
  await cluster.api.kubectl(
    'create',
    'rolebinding',
    'dev',
    '-n',
    'shop',
    '--clusterrole=selcap-files',
    '--serviceaccount=shop:dev',
  )
  const tokenOf = async (name: string) =>
    (await cluster.api.kubectl('create', 'token', name, '-n', 'shop')).trim()
  const stage = {
    cluster,
    node,
    pod,
    gateway,
    dev: await tokenOf('dev'),
    stranger: await tokenOf('stranger'),
  }
  await addCapture(stage, 'web')
  return stage
}

/** Resolves when it is open and the gateway knows where. */
export async function addCapture(
  { cluster, node, gateway, dev }: Stage,
  name: string,
  more: object = {},
): Promise<void> {
  await cluster.apply(
    packetCapture(name, { selector: "app == 'web'", filters: [{ protocol: 'UDP' }], ...more }),
  )
  await until('the tap', () => node.files('shop', name).length === 1)
  await until(
    'the gateway to know of it',
    async () => (await listed(gateway, dev, name)).length === 1,
  )
}

export type Listed = {
  readonly node: string
  readonly file: string
  readonly bytes: number
  readonly active: boolean
}

export async function listed(
  gateway: GatewayClient,
  token: string,
  name = 'web',
): Promise<readonly Listed[]> {
  const { code, text } = await gateway.ask({
    path: `/v1/namespaces/shop/packetcaptures/${name}/files`,
    token,
  })
  return code === 200 ? JSON.parse(text).files : []
}

/**
 * Stops the agent, puts a rotated file of that size among its own, which only at both ends is not
 * empty, and starts it again.
 */
export async function addBigFile(
  stage: Stage,
  bytes: number,
  capture = 'web',
): Promise<{ readonly name: string; readonly path: string }> {
  const { node, pod, gateway, dev } = stage
  await node.stopAgent()
  const name = `web-0_${pod.hostName}-20260101T000000.000Z.pcap`
  const path = join(node.captures, 'shop', capture, name)
  const ends = randomBytes(1_000_000)
  const file = openSync(path, 'w')
  for (const at of [0, bytes - ends.length]) writeSync(file, ends, 0, ends.length, at)
  closeSync(file)
  truncateSync(path, bytes)
  await node.startAgent()
  await until('the file to be offered', async () =>
    (await listed(gateway, dev, capture)).some(
      ({ file, bytes: all }) => file === name && all === bytes,
    ),
  )
  return { name, path }
}

/** Of the last program that this child became. */
export function pidOf(child: Child): number {
  return Number(
    [...child.tail(100_000).matchAll(/"pid":(\d+)[^\n]*selcap (?:agent|gateway) started/g)].at(
      -1,
    )?.[1],
  )
}

export function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap(fd => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return [] // closed meanwhile
    }
  })
}

/** The most memory it ever held, and what it holds. */
export function memoryOf(pid: number): { readonly peak: number; readonly now: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024
  return { peak: field('VmHWM'), now: field('VmRSS') }
}
