// Resolves an endpoint to the interface to tap.
// In: a tap's spec, and the interfaces of this node, which one InterfaceResolver reads once for many specs of a turn.
// Out: an interface, its network namespace, and from which side it sees the pod.
// 1. By the derived name (Calico's), if an interface of this namespace has it.
// 2. Else by address: the endpoint's address leads to the network namespace (one of /var/run/netns) and the interface inside;
//    its peer is the host's end. Works with any CNI. Reads namespaces only if a spec needs it.
// Refuses with TapError NO_INTERFACE, also for an address in two namespaces: a capture must not
// hold another pod's packets.

import type { Driver, Link } from '../driver/driver.ts'
import type { Vantage } from '../model/capture.ts'
import { TapError } from '../model/errors.ts'
import type { TapSpec } from '../model/tap.ts'
import { type NamespaceAddresses, NamespaceScan, normalAddress } from './namespaceScan.ts'

export type WantedEndpoint = Pick<TapSpec, 'interfaceName' | 'vantage' | 'endpoint'>
export type InterfaceMatch = {
  readonly interfaceName: string
  readonly netns?: string
  readonly vantage: Vantage
  readonly insideIsPod: boolean
}

export class InterfaceResolver {
  readonly #driver: Pick<Driver, 'links'>
  readonly #namespaces: NamespaceScan
  #links: Promise<readonly Link[]> | undefined

  /** `netnsDirectory` holds a file for each network namespace, as CNI plugins leave them. */
  constructor(driver: Pick<Driver, 'links'>, netnsDirectory = '/var/run/netns') {
    this.#driver = driver
    this.#namespaces = new NamespaceScan(driver, netnsDirectory)
  }

  async find(wanted: WantedEndpoint): Promise<InterfaceMatch> {
    const derived = (await this.#here()).find(({ name }) => name === wanted.interfaceName)
    const prefersInside =
      wanted.vantage === 'PodNetns' || (wanted.vantage === 'Auto' && derived?.kind === 'netkit')
    if (derived && !prefersInside) return atHost(derived)
    const inside = await this.#byAddress(wanted)
    if (prefersInside) return within(inside)
    const peer = await this.#peerOf(inside)
    if (wanted.vantage === 'Auto')
      return peer && peer.kind !== 'netkit' ? atHost(peer) : within(inside)
    if (!peer)
      throw refused(
        wanted,
        `"${inside.link.name}" in network namespace "${inside.netns}" has its address, but no other end here`,
      )
    return atHost(peer)
  }

  #here(): Promise<readonly Link[]> {
    this.#links ??= this.#driver.links()
    return this.#links
  }

  async #byAddress(wanted: WantedEndpoint): Promise<NamespaceAddresses> {
    const addresses = wanted.endpoint.addresses.map(normalAddress)
    const scanned = await this.#namespaces.addresses()
    const [first, second] = scanned.withAddress(addresses)
    if (first && !second) return first
    if (!first) throw refused(wanted, `${describeWanted(wanted)}, ${scanned.summary}`)
    throw refused(
      wanted,
      `${addresses.join(', ')} is in network namespaces "${first.netns}" and "${second?.netns}": expected one`,
    )
  }

  // An index is unique in its namespace only, so both ends must name each other, and no other
  // namespace may name the same end.
  async #peerOf({ link }: NamespaceAddresses): Promise<Link | undefined> {
    const claims = (await this.#namespaces.addresses()).claimsOn(link)
    if (claims !== 1) return undefined
    const here = await this.#here()
    return here.find(
      ({ index, peerIndex, kind }) =>
        index === link.peerIndex && peerIndex === link.index && kind === link.kind,
    )
  }
}

function atHost({ name }: Link): InterfaceMatch {
  return { interfaceName: name, vantage: 'HostVeth', insideIsPod: false }
}

function within({ link, netns }: NamespaceAddresses): InterfaceMatch {
  return { interfaceName: link.name, netns, vantage: 'PodNetns', insideIsPod: true }
}

function refused({ endpoint }: WantedEndpoint, detail: string): TapError {
  return new TapError(
    'NO_INTERFACE',
    `Cannot find the interface of endpoint "${endpoint.namespace}/${endpoint.name}": ${detail}`,
  )
}

function describeWanted({
  interfaceName,
  endpoint: { addresses },
  vantage,
}: WantedEndpoint): string {
  const name =
    interfaceName === undefined || vantage === 'PodNetns'
      ? ''
      : `found no interface "${interfaceName}", and `
  return `${name}looked for ${addresses.length > 0 ? `address ${addresses.join(', ')}` : 'an address, but the endpoint has none'}`
}
