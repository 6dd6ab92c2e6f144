// The names of the interfaces in the node's own network namespace, for captures of the host. In:
// the driver's links and their changes. Out: the present names, and a call when they change. Reads
// nothing unless it is needed.
import type { Driver } from '../driver/driver.ts'

export class HostLinks implements Disposable {
  readonly #names = new Map<number, string>() // by index
  #watch: Disposable | undefined

  private constructor() {}

  static async open(
    driver: Pick<Driver, 'links' | 'watchLinks'>,
    isNeeded: boolean,
    onChange: () => void,
  ): Promise<HostLinks> {
    const links = new HostLinks()
    if (!isNeeded) return links
    links.#watch = driver.watchLinks(({ kind, name, index }) => {
      const before = links.#names.get(index)
      if (kind === 'gone') links.#names.delete(index)
      else links.#names.set(index, name)
      if (before !== links.#names.get(index)) onChange()
    })
    for (const { name, index } of await driver.links()) links.#names.set(index, name)
    return links
  }

  get names(): readonly string[] {
    return [...this.#names.values()].toSorted()
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]()
  }
}
