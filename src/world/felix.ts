// What Calico's own configuration says of its data plane. In: the API server. Out: whether a pod's host veth shows both
// directions. Asked for now and then: it changes about never, and most clusters have none.
import type { Clock } from '../clock.ts'
import type { World } from '../model/world.ts'
import { type Kube, readJson } from './kube.ts'

const everyMs = 300_000
const paths = ['/apis/crd.projectcalico.org/v1/felixconfigurations/default', '/apis/projectcalico.org/v3/felixconfigurations/default']

type FelixConfiguration = { readonly spec?: { readonly bpfEnabled?: boolean; readonly bpfRedirectToPeer?: string } }

export function hostVethOf({ spec = {} }: FelixConfiguration): World['hostVeth'] {
  const isRedirected = (spec.bpfRedirectToPeer ?? 'Enabled').toLowerCase() !== 'disabled'
  return spec.bpfEnabled === true && isRedirected ? 'OneSided' : 'TwoSided'
}

/** Asks until the signal; `onFound` gets each answer. What cannot be read now was as it was before. */
export async function followFelix(
  kube: Kube,
  clock: Clock,
  signal: AbortSignal,
  onFound: (hostVeth: World['hostVeth']) => void,
): Promise<void> {
  while (!signal.aborted) {
    const found = await read(kube, signal).catch(() => undefined)
    if (found) onFound(hostVethOf(found))
    await clock.sleepUntil(clock.now() + everyMs, signal)
  }
}

async function read(kube: Kube, signal: AbortSignal): Promise<FelixConfiguration | undefined> {
  for (const path of paths) {
    const response = await kube({ path, signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) })
    if (response.statusCode === 200) return (await readJson(response)) as FelixConfiguration
    response.resume()
  }
  return undefined
}
