// One look into every network namespace of a directory (those of the node's pods): which addresses are where.
// In: a driver's links() and the directory. Out: interfaces by address, and a summary for a refusal's message.
// A namespace that goes away while we look, or may not be entered, is left out and counted in the summary.
import { readdir, stat } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { join } from 'node:path'
import type { Driver, Link } from '../driver/driver.ts'
import { TapError } from '../model/errors.ts'

/** An interface inside a network namespace. */
export type NamespaceAddresses = { readonly netns: string; readonly link: Link }

const atOnce = 16 // namespaces looked into at the same time

export class NamespaceScan {
  readonly #driver: Pick<Driver, 'links'>
  readonly #directory: string
  #seen: Promise<SeenNamespace> | undefined

  constructor(driver: Pick<Driver, 'links'>, directory: string) {
    this.#driver = driver
    this.#directory = directory
  }

  /** Looks the first time; the same answer after that. */
  addresses(): Promise<SeenNamespace> {
    this.#seen ??= this.#look()
    return this.#seen
  }

  async #look(): Promise<SeenNamespace> {
    const paths = await namespacesIn(this.#directory)
    const waiting = paths.values() // shared by the workers: each takes the next
    const found: NamespaceAddresses[] = []
    const refusals: TapError[] = []
    const worker = async () => {
      for (const netns of waiting) {
        const links = await this.#linksOf(netns)
        if (links instanceof TapError) refusals.push(links)
        else found.push(...links.map(link => ({ netns, link })))
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    const inOrder = found.toSorted((a, b) => (a.netns < b.netns ? -1 : 1))
    return new SeenNamespace(
      inOrder,
      `${paths.length} network namespaces under "${this.#directory}" were looked into${refusalText(refusals)}`,
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

/** What was seen. */
export class SeenNamespace {
  readonly summary: string
  readonly #byAddress: ReadonlyMap<string, readonly NamespaceAddresses[]>
  readonly #claims: ReadonlyMap<string, number>

  constructor(found: readonly NamespaceAddresses[], summary: string) {
    const reachable = found.flatMap(inside =>
      inside.link.addresses.filter(isOwn).map(address => ({ address: normalAddress(address), inside })),
    )
    const byAddress = Map.groupBy(reachable, ({ address }) => address)
    this.#byAddress = new Map([...byAddress].map(([address, rows]) => [address, rows.map(({ inside }) => inside)]))
    this.#claims = new Map([...Map.groupBy(found, ({ link }) => claimAddresses(link))].map(([key, rows]) => [key, rows.length]))
    this.summary = summary
  }

  /** Interfaces with any of the addresses, one a namespace. */
  withAddress(addresses: readonly string[]): readonly NamespaceAddresses[] {
    const all = addresses.flatMap(address => this.#byAddress.get(address) ?? [])
    return [...new Map(all.map(inside => [inside.netns, inside])).values()]
  }

  /** How many interfaces say that their other end is the one this link says it is. */
  claimsOn(link: Link): number {
    return link.peerIndex === undefined ? 0 : (this.#claims.get(claimAddresses(link)) ?? 0)
  }
}

/** The one way to write an address, so that two may be compared. */
export function normalAddress(address: string): string {
  return isIPv6(address) ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address
}

function isOwn(address: string): boolean {
  return !address.startsWith('127.') && address !== '::1' && !/^fe[89ab]/i.test(address)
}

function claimAddresses({ index, peerIndex }: Link): string {
  return `${index} to ${peerIndex}`
}

/** Files of the directory that are network namespaces, each namespace once, this process's own left out. */
async function namespacesIn(directory: string): Promise<readonly string[]> {
  const paths = (await namesIn(directory)).toSorted().map(name => join(directory, name))
  const own = await identity('/proc/self/ns/net')
  const rows = await Promise.all(paths.map(async path => ({ path, id: await identity(path) })))
  const others = rows.filter(({ id }) => id !== undefined && id !== own)
  return [...Map.groupBy(others, ({ id }) => id).values()].flatMap(([row]) => (row ? [row.path] : []))
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [] // no pod has been started yet
    throw error
  }
}

async function identity(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path)
    return `${dev}:${ino}`
  } catch {
    return undefined // it has gone since, or is a link to nowhere
  }
}

function refusalText(refusals: readonly TapError[]): string {
  const [first] = refusals
  return first ? `, ${refusals.length} of them could not be: ${first.message}` : ''
}
