// Converts WorkloadEndpoint documents, pods and host interfaces to endpoints, by Calico's rules.
// Pure. In: a document and the world. Out: an endpoint; undefined for a pod that has no node or no
// address yet.
import type { Endpoint, PodNetwork } from '../../model/endpoint.ts'
import type { Pod } from '../../model/pod.ts'
import { annotations as wellKnown } from '../../model/wellKnown.ts'
import type { WorkloadEndpoint, World } from '../../model/world.ts'
import { hostInterfaceName } from './calicoNames.ts'
import { effectiveLabels } from './labels.ts'

type EndpointContext = Pick<World, 'node' | 'settings' | 'namespaceLabels' | 'serviceAccountLabels'>

/** An endpoint without a node belongs to this node: a manifest directory describes one machine. */
export function toEndpoint({ metadata, spec }: WorkloadEndpoint, world: EndpointContext): Endpoint {
  const { namespace } = metadata
  const name = spec.pod ?? metadata.name
  return {
    namespace,
    name,
    uid: metadata.uid ?? metadata.name,
    node: spec.node ?? world.node,
    interfaceName:
      spec.interfaceName ?? hostInterfaceName(namespace, name, world.settings.interfacePrefix),
    ...(spec.interfaceName !== undefined && { isInterfaceGiven: true }),
    addresses: (spec.ipNetworks ?? []).map(withoutLength),
    labels: effectiveLabels({
      own: metadata.labels ?? {},
      namespace,
      orchestrator: spec.orchestrator ?? 'k8s',
      serviceAccount: spec.serviceAccountName,
      ...inheritance(namespace, spec.serviceAccountName, world),
    }),
    live: true,
    hostNetwork: false,
  }
}

/**
 * undefined: the pod has no node or no address yet. A host-networked pod becomes an endpoint that
 * never matches.
 */
export function podToEndpoint(pod: Pod, world: EndpointContext): Endpoint | undefined {
  const { metadata, spec } = pod
  const { namespace, name, uid } = metadata
  const addresses = addressesOf(pod)
  const hostNetwork = spec.hostNetwork === true
  const live = !isFinished(pod)
  const networks = networksOf(pod)
  if (!spec.nodeName || (addresses.length === 0 && live && !hostNetwork)) return undefined
  const serviceAccount = spec.serviceAccountName
  return {
    namespace,
    name,
    uid,
    node: spec.nodeName,
    interfaceName: hostInterfaceName(namespace, name, world.settings.interfacePrefix),
    addresses: live ? addresses : [],
    ...(networks.length > 0 && { networks }),
    labels: effectiveLabels({
      own: metadata.labels ?? {},
      namespace,
      orchestrator: 'k8s',
      serviceAccount,
      ...inheritance(namespace, serviceAccount, world),
    }),
    live,
    hostNetwork,
  }
}

/** One of the node's own interfaces. It has no namespace, so only captures of the host match it. */
export function hostEndpoint(
  name: string,
  { node, nodeLabels }: Pick<World, 'node' | 'nodeLabels'>,
): Endpoint {
  const labels = new Map(Object.entries(nodeLabels))
  return {
    namespace: '',
    name,
    uid: name,
    node,
    interfaceName: name,
    addresses: [],
    labels,
    live: true,
    hostNetwork: false,
  }
}

// A terminating pod keeps its endpoint until the network plugin reports that its address was
// released.
function isFinished({ metadata, status }: Pod): boolean {
  const isReleased = [wellKnown.podIp, wellKnown.awsPodIps].some(
    name => metadata.annotations?.[name] === '',
  )
  return (
    (metadata.deletionTimestamp !== undefined && isReleased) ||
    ['Failed', 'Succeeded', 'Completed'].includes(status?.phase ?? '')
  )
}

function addressesOf({ metadata, status }: Pod): string[] {
  const annotation = (name: string) => metadata.annotations?.[name]?.split(',') ?? []
  const sources = [
    status?.podIPs?.map(({ ip }) => ip) ?? [],
    [status?.podIP ?? ''],
    annotation(wellKnown.podIps),
    annotation(wellKnown.podIp),
    annotation(wellKnown.awsPodIps),
  ]
  const filled = sources.map(source =>
    source.map(text => withoutLength(text.trim())).filter(text => text !== ''),
  )
  return filled.find(source => source.length > 0) ?? []
}

/** What Multus says it has attached; what cannot be read is left out. */
function networksOf({ metadata }: Pod): PodNetwork[] {
  const text = metadata.annotations?.[wellKnown.networkStatus]
  if (text === undefined) return []
  try {
    const found: unknown = JSON.parse(text)
    const rows: readonly { readonly name?: unknown; readonly interface?: unknown }[] =
      Array.isArray(found) ? found.map(row => Object(row)) : []
    return rows.flatMap(({ name, interface: interfaceName }) =>
      typeof name === 'string' && typeof interfaceName === 'string'
        ? [{ name, interfaceName }]
        : [],
    )
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return []
  }
}

function inheritance(
  namespace: string,
  serviceAccount: string | undefined,
  { namespaceLabels, serviceAccountLabels }: EndpointContext,
) {
  return {
    namespaceLabels: namespaceLabels.get(namespace),
    serviceAccountLabels: serviceAccountLabels.get(`${namespace}/${serviceAccount}`),
  }
}

function withoutLength(network: string): string {
  return network.replace(/\/.*$/, '')
}
