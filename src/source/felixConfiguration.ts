// Reads Calico's own configuration. In: the API server. Out: whether a pod's host veth shows both
// directions. Polled every five minutes: it rarely changes, and most clusters have none. The node's
// own resource overrides the default one.
import { get as getObject, refusalText } from '../kube/client.ts'
import type { Kube } from '../kube/request.ts'
import { doubledMs } from '../model/backoff.ts'
import { ExpectedError } from '../model/errors.ts'
import type { World } from '../model/world.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

const everyMs = 300_000
const retryDelayMs = { first: 1_000, most: 60_000 } as const
const paths = [
  '/apis/crd.projectcalico.org/v1/felixconfigurations',
  '/apis/projectcalico.org/v3/felixconfigurations',
]

type FelixSpec = { readonly bpfEnabled?: boolean; readonly bpfRedirectToPeer?: string }

export function hostVethOf({
  bpfEnabled,
  bpfRedirectToPeer = 'Enabled',
}: FelixSpec): World['hostVeth'] {
  return bpfEnabled === true && bpfRedirectToPeer.toLowerCase() !== 'disabled'
    ? 'OneSided'
    : 'TwoSided'
}

export type FelixDeps = {
  readonly kube: Kube
  readonly node: string
  readonly clock: Clock
  readonly log: Pick<Logger, 'warn'>
  readonly signal: AbortSignal
}

/**
 * Polls until the signal. `onAnswer` gets undefined where the API server did not answer: the last
 * value stays.
 */
export async function followFelix(
  deps: FelixDeps,
  onAnswer: (hostVeth: World['hostVeth'] | undefined) => void,
): Promise<void> {
  const { clock, log, signal } = deps
  let failures = 0
  while (!signal.aborted) {
    const spec = await read(deps).catch((error: Error) => {
      if (failures === 0 && !signal.aborted)
        log.warn({ reason: error.message }, 'felix configuration not read, tried again')
      return undefined
    })
    failures = spec ? 0 : failures + 1
    if (!signal.aborted) onAnswer(spec && hostVethOf(spec))
    const waitMs = spec ? everyMs : doubledMs(failures + 1, retryDelayMs)
    await clock.sleepUntil(clock.now() + waitMs, signal)
  }
}

async function read(deps: FelixDeps): Promise<FelixSpec> {
  for (const path of paths) {
    const shared = await get(deps, `${path}/default`)
    const own = await get(deps, `${path}/node.${deps.node}`)
    if (shared || own) return { ...shared, ...own }
  }
  return {}
}

/** undefined: it does not exist, or the agent may not read it. */
async function get({ kube, signal }: FelixDeps, path: string): Promise<FelixSpec | undefined> {
  const answer = await getObject<{ readonly spec?: FelixSpec }>(kube, path, { signal })
  if (answer.ok) return answer.body.spec ?? {}
  if (answer.status === 404 || answer.status === 403) return undefined
  throw new ExpectedError(`Cannot read ${path}: ${refusalText(answer)}`)
}
