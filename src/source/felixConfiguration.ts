// What Calico's own configuration says of its data plane. In: the API server. Out: whether a pod's host veth shows both
// directions. Asked for now and then: it changes about never, and most clusters have none. A node's own settings win.

import { apiRefusalOf } from '../kube/apiError.ts'
import { type Kube, readJson } from '../kube/request.ts'
import { doubledMs } from '../model/backoff.ts'
import type { World } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'

const everyMs = 300_000
const retryDelayMs = { first: 1_000, most: 60_000 } as const
const apiTimeoutMs = 10_000
const paths = ['/apis/crd.projectcalico.org/v1/felixconfigurations', '/apis/projectcalico.org/v3/felixconfigurations']

type FelixSpec = { readonly bpfEnabled?: boolean; readonly bpfRedirectToPeer?: string }

export function hostVethOf({ bpfEnabled, bpfRedirectToPeer = 'Enabled' }: FelixSpec): World['hostVeth'] {
  return bpfEnabled === true && bpfRedirectToPeer.toLowerCase() !== 'disabled' ? 'OneSided' : 'TwoSided'
}

export type FelixDeps = { readonly kube: Kube; readonly node: string; readonly clock: Clock; readonly signal: AbortSignal }

/** Asks until the signal; `onAnswer` gets each answer, and undefined when there was none: what held before holds. */
export async function followFelix(parts: FelixDeps, onAnswer: (hostVeth: World['hostVeth'] | undefined) => void): Promise<void> {
  const { clock, signal } = parts
  let failures = 0
  while (!signal.aborted) {
    const spec = await read(parts).catch(() => undefined) // away: asked again soon
    failures = spec ? 0 : failures + 1
    if (!signal.aborted) onAnswer(spec && hostVethOf(spec))
    const waitMs = spec ? everyMs : doubledMs(failures + 1, retryDelayMs)
    await clock.sleepUntil(clock.now() + waitMs, signal)
  }
}

async function read(parts: FelixDeps): Promise<FelixSpec> {
  for (const path of paths) {
    const shared = await get(parts, `${path}/default`)
    const own = await get(parts, `${path}/node.${parts.node}`)
    if (shared || own) return { ...shared, ...own }
  }
  return {}
}

/** undefined: there is none, or it is not ours to read. */
async function get({ kube, signal }: FelixDeps, path: string): Promise<FelixSpec | undefined> {
  const response = await kube({ path, signal: AbortSignal.any([signal, AbortSignal.timeout(apiTimeoutMs)]) })
  if (response.statusCode === 200) return ((await readJson(response)) as { readonly spec?: FelixSpec }).spec ?? {}
  const refused = await apiRefusalOf(response, path)
  if (refused.status === 404 || refused.status === 403) return undefined
  throw refused
}
