// Resolves an endpoint to the interface to tap.
// In: a tap's spec, and the interfaces of this node, which one InterfaceResolver reads once for many specs of a turn.
// Out: an interface, its network namespace, and from which side it sees the pod.
// 1. By name, given or derived (Calico's), if an interface of this namespace has it.
// 2. Else, if the name was derived, by address: the endpoint's address leads to the network namespace (one of /var/run/netns) and the interface inside;
//    its peer is the host's end. Works with any CNI. Reads namespaces only if a spec needs it.
// 3. An interface that is named inside a pod: the pod's network namespace by the host's end, or by
//    address; then the interface of that name, or its peer if the host's end was asked for.
// Refuses with TapError NO_INTERFACE, also for an address in two namespaces: a capture must not
// hold another pod's packets; NOT_SUPPORTED for a link type that no file of ours can hold. NO_MEMORY:
// some namespaces could not be read, so the answer is not known.

import type { Driver, Link } from '../driver/driver.ts'
import type { Vantage } from '../model/capture.ts'
import type { TapErrorCode } from '../model/codes.ts'
import { TapError } from '../model/errors.ts'
import type { LinkType } from '../model/linkType.ts'
import type { TapSpec } from '../model/tap.ts'
import {
  type NamespaceAddresses,
  type NamespaceLinks,
  NamespaceScan,
  normalAddress,
} from './namespaceScan.ts'

export type WantedEndpoint = Pick<TapSpec, 'interfaceName' | 'vantage' | 'endpoint'>
export type InterfaceMatch = {
  readonly interfaceName: string
  readonly index: number
  readonly linkType: LinkType
  readonly netns?: string
  readonly netnsId?: string
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
    if (wanted.endpoint.podInterface !== undefined)
      return this.#named(wanted, wanted.endpoint.podInterface)
    const derived = await this.#derived(wanted)
    const prefersInside =
      wanted.vantage === 'PodNetns' || (wanted.vantage === 'Auto' && derived?.kind === 'netkit')
    if (derived && !prefersInside) return atHost(derived)
    if (wanted.endpoint.isInterfaceGiven && !prefersInside)
      throw refused(wanted, `found no interface "${wanted.interfaceName}"`)
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

  /** Every interface of the pod's network namespace. */
  async within(wanted: WantedEndpoint): Promise<readonly Link[]> {
    return (await this.#podNamespace(wanted)).links
  }

  async #named(wanted: WantedEndpoint, name: string): Promise<InterfaceMatch> {
    const { links, ...place } = await this.#podNamespace(wanted)
    const link = links.find(each => each.name === name)
    if (!link)
      throw refused(
        wanted,
        `found no interface "${name}" in its network namespace "${place.netns}"`,
      )
    const inside = { ...place, link }
    if (wanted.vantage !== 'HostVeth') return within(inside)
    const peer = await this.#peerOf(inside)
    if (!peer) throw refused(wanted, `"${name}" has no other end on this node`)
    return atHost(peer)
  }

  async #podNamespace(wanted: WantedEndpoint): Promise<NamespaceLinks> {
    const host = await this.#derived(wanted)
    const scanned = await this.#namespaces.addresses()
    const [behind, another] = host ? scanned.behind(host) : []
    if (behind && !another) return scanned.linksOf(behind)
    if (wanted.endpoint.isInterfaceGiven)
      throw refused(
        wanted,
        host
          ? `"${host.name}" has no other end in a network namespace; ${scanned.summary}`
          : `found no interface "${wanted.interfaceName}"`,
        scanned.refusal?.code,
      )
    return scanned.linksOf(await this.#byAddress(wanted))
  }

  async #derived({ interfaceName }: WantedEndpoint): Promise<Link | undefined> {
    const here = await this.#here()
    return (
      here.find(({ name }) => name === interfaceName) ??
      here.find(({ alternativeNames }) => alternativeNames.includes(interfaceName ?? ''))
    )
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
    if (!first)
      throw refused(wanted, `${describeWanted(wanted)}, ${scanned.summary}`, scanned.refusal?.code)
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

/** Whether both are one interface, and not only of one name. */
export function isSameInterface(one: InterfaceMatch, other: InterfaceMatch): boolean {
  return (
    one.interfaceName === other.interfaceName &&
    one.index === other.index &&
    one.linkType === other.linkType &&
    one.netnsId === other.netnsId
  )
}

function atHost(link: Link): InterfaceMatch {
  return { ...identityOf(link), vantage: 'HostVeth', insideIsPod: false }
}

function within({ link, netns, netnsId }: NamespaceAddresses): InterfaceMatch {
  return { ...identityOf(link), netns, netnsId, vantage: 'PodNetns', insideIsPod: true }
}

function identityOf({
  name,
  index,
  linkType,
  hardwareType,
}: Link): Pick<InterfaceMatch, 'interfaceName' | 'index' | 'linkType'> {
  if (linkType !== undefined) return { interfaceName: name, index, linkType }
  throw new TapError(
    'NOT_SUPPORTED',
    `Cannot open tap on "${name}": its link type (ARPHRD ${hardwareType}) is not supported, expected Ethernet, loopback or IP without a link header`,
  )
}

function refused(
  { endpoint }: WantedEndpoint,
  detail: string,
  code: TapErrorCode = 'NO_INTERFACE',
): TapError {
  return new TapError(
    code,
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
