// An endpoint: a network interface of a pod or of the node whose packets can be captured. Made by
// src/core/endpoint from WorkloadEndpoint documents and pods; read by src/core/match.ts and the
// stages after it.

/** A network that Multus has attached to a pod, as `namespace/name`, and its interface in the pod. */
export type PodNetwork = { readonly name: string; readonly interfaceName: string }

export type Endpoint = {
  readonly namespace: string // '' of the node's own interfaces
  readonly name: string // the pod part of file names: spec.pod, else the document's name. Unique with the namespace
  readonly uid: string // changes when the pod is replaced under the same name
  readonly node: string
  readonly interfaceName: string | undefined // host interface; undefined: src/netdev finds it by address
  readonly isInterfaceGiven?: boolean // by name in its document, so that no address leads to another
  readonly podInterface?: string // inside the pod's network namespace; missing: the pod's primary one
  readonly networks?: readonly PodNetwork[] // missing: none
  readonly addresses: readonly string[] // without prefix length
  readonly labels: ReadonlyMap<string, string> // effective: own, then inherited from namespace and service account
  readonly live: boolean // false once the pod has finished: its capture ends, its row stays
  readonly hostNetwork: boolean // never matched; kept for the message
}

/** Names an endpoint's row, tap and refusal within a capture. Neither part holds a slash. */
export function endpointKey({
  name,
  podInterface,
}: Pick<Endpoint, 'name' | 'podInterface'>): string {
  return podInterface === undefined ? name : `${name}/${podInterface}`
}

/** Names a pod on this node, whatever its endpoints are. */
export function podKey({ namespace, uid }: Pick<Endpoint, 'namespace' | 'uid'>): string {
  return `${namespace}/${uid}`
}
