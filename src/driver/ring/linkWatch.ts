// Changes of interfaces, told to whoever subscribed. When the kernel had more changes than it could tell, what was missed is
// found by comparing the interfaces of before with those of now.

import type { Link, LinkChange } from '../driver.ts'
import type { Door, NativeEvent } from './addon.ts'

export class LinkWatch {
  readonly #door: Door
  readonly #list: () => Promise<readonly Link[]>
  readonly #known = new Map<number, string>() // index → name
  readonly #listeners = new Set<(change: LinkChange) => void>()
  #subscription: Disposable | undefined

  constructor(door: Door, list: () => Promise<readonly Link[]>) {
    this.#door = door
    this.#list = list
  }

  subscribe(listener: (change: LinkChange) => void): Disposable {
    this.#listeners.add(listener)
    this.#subscription ??= this.#door.onLinks(event => this.#take(event))
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener)
        if (this.#listeners.size > 0) return
        this.#subscription?.[Symbol.dispose]()
        this.#subscription = undefined
      },
    }
  }

  #take({ kind, message: name, number: index, flag: isGone, isUp }: NativeEvent): void {
    if (kind === 'linksLost')
      void this.#list().then(
        links => this.#compare(links),
        () => {},
      ) // read again at the next loss
    else this.#tell({ kind: isGone ? 'gone' : isUp ? 'present' : 'down', name, index })
  }

  #compare(links: readonly Link[]): void {
    const now = new Set(links.map(({ index }) => index))
    for (const [index, name] of this.#known) if (!now.has(index)) this.#tell({ kind: 'gone', name, index })
    for (const { name, index, isUp } of links) this.#tell({ kind: isUp ? 'present' : 'down', name, index })
  }

  #tell(change: LinkChange): void {
    if (change.kind === 'gone') this.#known.delete(change.index)
    else this.#known.set(change.index, change.name)
    for (const listener of this.#listeners) listener(change)
  }
}
