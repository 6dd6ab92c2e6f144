// Sets the stage of a target: a disk, three pods of which two are captured, captures, senders. All
// of it goes with the scope; what a killed process would leave behind, with the guard.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { hostInterfaceName } from '../../src/core/endpoint/calicoNames.ts'
import { SimulatedCluster } from '../support/kube/simulated.ts'
import { makeNamespace, type Scope } from '../support/net/namespace.ts'
import { AgentTarget } from './agent.ts'
import { Disk } from './disk.ts'
import type { Guard } from './guard.ts'
import { Link } from './link.ts'
import type { Random } from './random.ts'
import { EndlessSender } from './sender.ts'
import { type Endpoint, Stage, type StageParts } from './stage.ts'
import { StandaloneTarget } from './standalone.ts'
import type { CaptureSpec, TargetName } from './target.ts'

export type StageOptions = {
  readonly scope: Scope
  readonly guard: Guard
  readonly root: string
  readonly random: Random
}

const podLabels: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'web-0': { app: 'web', on: 'web-0' },
  'web-1': { app: 'web', on: 'web-1' },
  'other-0': { app: 'other', on: 'other-0' }, // nobody captures it: none of its packets may be found
}
const names = Object.keys(podLabels)
const wanted = names.filter(name => podLabels[name]?.app === 'web')

const manyFiles = { captureMaxFiles: 100_000 }
const base = { selector: "app == 'web'", filters: [{ protocol: 'UDP', ports: [4000] }] }
/** One with one long file, one with many short ones; of an agent also one that sees pods from inside. */
export const specs: Readonly<Record<string, CaptureSpec>> = {
  long: base,
  short: {
    ...base,
    format: 'pcapng',
    rotation: { maxSizeBytes: 65_536, maxFiles: 100_000 },
  },
}

export async function makeStage(name: TargetName, options: StageOptions): Promise<Stage> {
  const stage = name === 'agent' ? await agentStage(options) : await standaloneStage(options)
  await stage.target.start()
  const all = name === 'agent' ? { ...specs, inside: { ...base, vantage: 'PodNetns' } } : specs
  for (const [capture, spec] of Object.entries(all)) await stage.addCapture(capture, spec)
  return stage
}

async function standaloneStage({ scope, guard, root, random }: StageOptions): Promise<Stage> {
  mkdirSync(root)
  const host = await makeNamespace(scope)
  const endpoints: Endpoint[] = []
  for (const [index, name] of names.entries()) {
    const inside = await makeNamespace(scope)
    const hostName = hostInterfaceName('shop', name, 'cali')
    const link = new Link({ number: index + 1, node: 1, host, inside, hostName })
    await link.create()
    const log = join(root, `${name}.sent`)
    const sender = await EndlessSender.start(scope, inside, { endpoint: index, log })
    endpoints.push({ name, link, sender })
  }
  const target = await StandaloneTarget.make(scope, root, host, {
    // With no floor of free space captures write to the last byte.
    settings: { ...manyFiles, captureDiskFreePercentMin: 0 },
    endpoints: endpoints.map(each => ({
      name: each.name,
      labels: podLabels[each.name] ?? {},
      interfaceName: each.link.hostName,
    })),
  })
  return staged({ scope, target, endpoints, random, guard, root })
}

async function agentStage({ scope, guard, root, random }: StageOptions): Promise<Stage> {
  mkdirSync(root)
  const cluster = await SimulatedCluster.start(scope)
  await cluster.api.kubectl('create', 'namespace', 'shop')
  await guard.ask('later', cluster.directory)
  const node = await cluster.addNode('node-1')
  const endpoints: Endpoint[] = []
  for (const [index, name] of names.entries()) {
    const pod = await node.addPod('shop', name, podLabels[name] ?? {})
    const place = { number: index + 1, node: 1, host: node.namespace, inside: pod.namespace }
    const link = new Link({ ...place, hostName: pod.hostName })
    const log = join(root, `${name}.sent`)
    const sender = await EndlessSender.start(scope, pod.namespace, { endpoint: index, log })
    endpoints.push({ name, link, sender })
  }
  const target = new AgentTarget(root, cluster, node, manyFiles)
  return staged({ scope, target, endpoints, random, guard, root })
}

type Made = Omit<StageParts, 'disk' | 'wanted' | 'elsewhere'> & Pick<StageOptions, 'guard' | 'root'>

async function staged({ guard, root, ...parts }: Made): Promise<Stage> {
  const disk = await Disk.mount(parts.scope, guard, parts.target.captures, join(root, 'disk.img'))
  const elsewhere = await makeNamespace(parts.scope)
  return new Stage({ ...parts, disk, wanted, elsewhere })
}
