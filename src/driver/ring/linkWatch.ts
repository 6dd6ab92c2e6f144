// Passes changes of interfaces on to the subscribers. When the kernel's messages overflowed the
// socket, lists the interfaces and compares them with the known ones to find what changed.
// A list that fails is repeated at the next change.

import { TapError } from '../../model/errors.ts'
import type { Link, LinkChange } from '../driver.ts'
import type { AddonBinding, NativeLinkEvent } from './addon.ts'

type LinkEvents = Pick<AddonBinding, 'onLinkEvent'>

export class LinkWatch {
  readonly #binding: LinkEvents
  readonly #list: () => Promise<readonly Link[]>
  readonly #names = new Map<number, string>() // by interface index
  readonly #listeners = new Set<(change: LinkChange) => void>()
  #subscription: Disposable | undefined
  #isBehind = false // changes were lost, and the links were not compared since

  constructor(binding: LinkEvents, list: () => Promise<readonly Link[]>) {
    this.#binding = binding
    this.#list = list
  }

  subscribe(listener: (change: LinkChange) => void): Disposable {
    this.#listeners.add(listener)
    this.#subscription ??= this.#binding.onLinkEvent(event => this.#handle(event))
    return {
      [Symbol.dispose]: () => {
        this.#listeners.delete(listener)
        if (this.#listeners.size > 0) return
        this.#subscription?.[Symbol.dispose]()
        this.#subscription = undefined
      },
    }
  }

  #handle(event: NativeLinkEvent): void {
    if (event.kind === 'link')
      this.#emit({ kind: changeKind(event), name: event.name, index: event.index })
    if (event.kind === 'linksLost' || this.#isBehind) void this.#catchUp()
  }

  async #catchUp(): Promise<void> {
    this.#isBehind = false
    try {
      this.#compare(await this.#list())
    } catch (error) {
      if (!(error instanceof TapError)) throw error
      this.#isBehind = true
    }
  }

  #compare(links: readonly Link[]): void {
    const present = new Set(links.map(({ index }) => index))
    for (const [index, name] of this.#names)
      if (!present.has(index)) this.#emit({ kind: 'gone', name, index })
    for (const { name, index, isUp } of links)
      this.#emit({ kind: isUp ? 'present' : 'down', name, index })
  }

  #emit(change: LinkChange): void {
    if (change.kind === 'gone') this.#names.delete(change.index)
    else this.#names.set(change.index, change.name)
    for (const listener of this.#listeners) listener(change)
  }
}

function changeKind({
  isGone,
  isUp,
}: {
  readonly isGone: boolean
  readonly isUp: boolean
}): LinkChange['kind'] {
  if (isGone) return 'gone'
  return isUp ? 'present' : 'down'
}
