// Whether PacketCapture can be served in this cluster, or Calico Enterprise already serves its
// group. In: the API server. Out: why it cannot be served and what to install instead; undefined:
// it can.

import { type Kube, readJson } from '../kube/request.ts'
import { ExpectedError } from '../model/errors.ts'
import { captureGroups } from '../model/wellKnown.ts'

type AggregatedService = {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> }
  readonly spec?: { readonly service?: { readonly name?: string; readonly namespace?: string } }
}

const calico = captureGroups.calico
const enterpriseObjects = [
  '/apis/operator.tigera.io/v1/packetcaptureapis',
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/packetcaptureapis.operator.tigera.io',
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/licensekeys.crd.projectcalico.org',
]
const instead =
  'install the overlay daemonset/overlays/own-group, which serves the same resource as selcap.dev/v3'

export async function preflightFailure(
  kube: Kube,
  group: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (group !== calico) return undefined
  const service = await read<AggregatedService>(
    kube,
    `/apis/apiregistration.k8s.io/v1/apiservices/v3.${calico}`,
    signal,
  )
  const isPlain =
    service?.metadata?.labels?.['kube-aggregator.kubernetes.io/automanaged'] !== undefined
  if (service && !isPlain) {
    const { namespace = '', name = '' } = service.spec?.service ?? {}
    return `Cannot serve ${calico}/v3: the aggregated API server ${namespace}/${name} does already, so a resource of that group would not be reached; ${instead}`
  }
  for (const path of enterpriseObjects) {
    if (await read(kube, path, signal))
      return `Cannot serve ${calico}/v3: Calico Enterprise is installed here (${path.split('/').at(-1)}) and has its own PacketCapture; ${instead}`
  }
  return undefined
}

/** undefined: the object does not exist, or this account may not read it. */
async function read<T>(kube: Kube, path: string, signal: AbortSignal): Promise<T | undefined> {
  const response = await kube({ path, signal })
  if (response.statusCode === 200) return (await readJson(response)) as T
  response.resume()
  if (response.statusCode === 404 || response.statusCode === 403) return undefined
  throw new ExpectedError(`Cannot read ${path}: the API server answered ${response.statusCode}`)
}
