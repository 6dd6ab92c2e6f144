// Scans every network namespace of a directory (those of the node's pods) for the addresses of its
// interfaces. In: a driver's links() and the directory. Out: interfaces by address, and a summary
// for an error message. A namespace that disappears during the scan, or cannot be entered, is left
// out and counted in the summary.
import { readdir } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { Driver, Link } from '../driver/driver.ts'
import { namespaceId } from '../driver/namespaceId.ts'
import { TapError } from '../model/errors.ts'

/** An interface inside a network namespace. */
export type NamespaceAddresses = {
  readonly netns: string
  readonly netnsId: string
  readonly link: Link
}

/** A network namespace with all of its interfaces. */
export type NamespaceLinks = Omit<NamespaceAddresses, 'link'> & { readonly links: readonly Link[] }

const concurrentScans = 16

export class NamespaceScan {
  readonly #driver: Pick<Driver, 'links'>
  readonly #directory: string
  #scan: Promise<ScannedNamespaces> | undefined

  constructor(driver: Pick<Driver, 'links'>, directory: string) {
    this.#driver = driver
    this.#directory = directory
  }

  /** Scans at the first call; the same result afterwards. */
  addresses(): Promise<ScannedNamespaces> {
    this.#scan ??= this.#scanAll()
    return this.#scan
  }

  async #scanAll(): Promise<ScannedNamespaces> {
    const paths = await namespacesIn(this.#directory)
    const waiting = paths.values() // shared by the workers: each takes the next
    const found: NamespaceAddresses[] = []
    const refusals: TapError[] = []
    const worker = async () => {
      for (const { path: netns, id: netnsId } of waiting) {
        const links = await this.#linksOf(netns)
        if (links instanceof TapError) refusals.push(links)
        else found.push(...links.map(link => ({ netns, netnsId, link })))
      }
    }
    await Promise.all(Array.from({ length: concurrentScans }, worker))
    const inOrder = found.toSorted((a, b) => (a.netns < b.netns ? -1 : 1))
    return new ScannedNamespaces(
      inOrder,
      `${paths.length} network namespaces under "${this.#directory}" were looked into${refusalText(refusals)}`,
      refusals.find(({ code }) => code === 'NO_MEMORY'),
    )
  }

  async #linksOf(netns: string): Promise<readonly Link[] | TapError> {
    try {
      return await this.#driver.links(netns)
    } catch (error) {
      if (error instanceof TapError) return error
      throw error
    }
  }
}

/** The result of a scan. */
export class ScannedNamespaces {
  readonly summary: string
  /** Memory or descriptors lacked: what was not found may be there. */
  readonly refusal: TapError | undefined
  readonly #byAddress: ReadonlyMap<string, readonly NamespaceAddresses[]>
  readonly #claims: ReadonlyMap<string, number>
  readonly #found: readonly NamespaceAddresses[]

  constructor(found: readonly NamespaceAddresses[], summary: string, refusal?: TapError) {
    this.refusal = refusal
    this.#found = found
    const reachable = found.flatMap(inside =>
      inside.link.addresses
        .filter(isOwn)
        .map(address => ({ address: normalAddress(address), inside })),
    )
    const byAddress = Map.groupBy(reachable, ({ address }) => address)
    this.#byAddress = new Map(
      [...byAddress].map(([address, found]) => [address, found.map(({ inside }) => inside)]),
    )
    this.#claims = new Map(
      [...Map.groupBy(found, ({ link }) => claimAddresses(link))].map(([key, all]) => [
        key,
        all.length,
      ]),
    )
    this.summary = summary
  }

  /** Interfaces with any of the addresses, one a namespace. */
  withAddress(addresses: readonly string[]): readonly NamespaceAddresses[] {
    const all = addresses.flatMap(address => this.#byAddress.get(address) ?? [])
    return [...new Map(all.map(inside => [inside.netns, inside])).values()]
  }

  /** Interfaces that are the other end of this one, as both say: more than one if one of them lies. */
  behind(host: Link): readonly NamespaceAddresses[] {
    return this.#found.filter(
      ({ link }) =>
        link.index === host.peerIndex && link.peerIndex === host.index && link.kind === host.kind,
    )
  }

  linksOf({ netns, netnsId }: NamespaceAddresses): NamespaceLinks {
    const links = this.#found.filter(each => each.netns === netns).map(({ link }) => link)
    return { netns, netnsId, links }
  }

  /** How many interfaces name the same peer under the same index as this link does. */
  claimsOn(link: Link): number {
    return link.peerIndex === undefined ? 0 : (this.#claims.get(claimAddresses(link)) ?? 0)
  }
}

/** The canonical text of an address, for comparison. */
export function normalAddress(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address
}

function isOwn(address: string): boolean {
  return !address.startsWith('127.') && address !== '::1' && !/^fe[89ab]/i.test(address)
}

function claimAddresses({ index, peerIndex }: Link): string {
  return `${index} to ${peerIndex}`
}

/**
 * Files of the directory that are network namespaces, each namespace once, this process's own left
 * out.
 */
async function namespacesIn(
  directory: string,
): Promise<readonly { readonly path: string; readonly id: string }[]> {
  const paths = (await namesIn(directory)).toSorted().map(name => join(directory, name))
  const own = await namespaceId('/proc/self/ns/net')
  const found = await Promise.all(paths.map(async path => ({ path, id: await namespaceId(path) })))
  const byId = Map.groupBy(found, ({ id }) => id)
  return [...byId].flatMap(([id, [row]]) =>
    row && id !== undefined && id !== own ? [{ path: row.path, id }] : [],
  )
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // no pod was started yet
    throw error
  }
}

function refusalText(refusals: readonly TapError[]): string {
  const [first] = refusals
  return first ? `, ${refusals.length} of them could not be: ${first.message}` : ''
}
