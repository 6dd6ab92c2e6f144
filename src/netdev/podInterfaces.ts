// The names of the interfaces inside pods, for captures that ask for more than a pod's primary one.
// In: the pods to look at. Out: names by pod, and a call when they change. A new pod is looked at
// at once, all of them whenever look() is called. An interface counts once it was up, and as long
// as it exists; one whose packets no file of ours can hold does not count.

import type { Link } from '../driver/driver.ts'
import type { PodInterfaces as PresentInterfaces } from '../model/actualState.ts'
import { type Endpoint, podKey } from '../model/endpoint.ts'
import { TapError } from '../model/errors.ts'
import { compareText } from '../model/text.ts'
import type { InterfaceResolver } from './interfaceResolver.ts'

type Seen = { readonly pod: Endpoint; readonly links: readonly SeenLink[] | undefined }
type SeenLink = Pick<Link, 'name' | 'index'>

export class PodInterfaces {
  readonly #resolver: () => InterfaceResolver // of the interfaces as they are then
  readonly #onChange: (changed: ReadonlySet<string>) => void
  #pods: ReadonlyMap<string, Seen> = new Map() // by podKey()
  #present: PresentInterfaces = new Map()
  #looking: Promise<void> | undefined

  /** `onChange` is told the pods, by podKey(). */
  constructor(resolver: () => InterfaceResolver, onChange: (changed: ReadonlySet<string>) => void) {
    this.#resolver = resolver
    this.#onChange = onChange
  }

  /** A pod is missing until it was looked at. */
  get present(): PresentInterfaces {
    return this.#present
  }

  /** Looks at exactly these pods from now on. Resolves when none of them is unknown any more. */
  async watch(pods: readonly Endpoint[]): Promise<void> {
    const before = this.#pods
    this.#pods = new Map(
      pods.map(pod => [podKey(pod), { pod, links: before.get(podKey(pod))?.links }]),
    )
    const isKnown = [...this.#pods.values()].every(({ links }) => links !== undefined)
    if (!isKnown) await this.look(true)
    else if (this.#pods.size < before.size) this.#publish()
  }

  /** `isAfresh`: not the look that is under way. */
  async look(isAfresh = false): Promise<void> {
    if (isAfresh) await this.#looking
    if (this.#pods.size === 0) return
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async #look(): Promise<void> {
    const scan = this.#resolver()
    const found = new Map(
      await Promise.all(
        Array.from(this.#pods, async ([key, seen]) => [key, await linksOf(scan, seen)] as const),
      ),
    )
    // Another list of pods may have come meanwhile.
    this.#pods = new Map(
      [...this.#pods].map(([key, { pod, links }]) => [
        key,
        { pod, links: found.get(key) ?? links },
      ]),
    )
    this.#publish()
  }

  #publish(): void {
    const before = this.#present
    this.#present = new Map(
      [...this.#pods].flatMap(([key, { links }]) =>
        links ? [[key, links.map(({ name }) => name).toSorted(compareText)] as const] : [],
      ),
    )
    const changed = [...this.#present].flatMap(([key, names]) =>
      names.join('/') === before.get(key)?.join('/') ? [] : [key],
    )
    if (changed.length > 0) this.#onChange(new Set(changed))
  }
}

/** undefined: that cannot be told now. */
async function linksOf(
  scan: InterfaceResolver,
  { pod, links: before = [] }: Seen,
): Promise<readonly SeenLink[] | undefined> {
  const { interfaceName } = pod
  try {
    const links = await scan.within({ interfaceName, vantage: 'PodNetns', endpoint: pod })
    const isKnown = (link: Link) =>
      before.some(({ name, index }) => name === link.name && index === link.index)
    return links
      .filter(link => link.linkType !== undefined && (link.isUp || isKnown(link)))
      .map(({ name, index }) => ({ name, index }))
  } catch (error) {
    if (!(error instanceof TapError)) throw error
    return error.code === 'NO_MEMORY' ? undefined : [] // else it has no network namespace here
  }
}
