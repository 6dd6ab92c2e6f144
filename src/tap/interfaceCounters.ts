// How many packets went by the interfaces of taps that have written none yet: so that a message can say whether the filter or
// the network is to blame. In: taps, and the driver's links, looked at now and then. Nothing is asked once a packet was written.

import type { Driver, Link } from '../driver/driver.ts'
import { TapError } from '../model/errors.ts'
import type { Tap } from './tap.ts'

export class InterfaceCounters {
  readonly #driver: Pick<Driver, 'links'>
  readonly #before = new WeakMap<Tap, number>() // what the interface had carried when the tap was looked at first

  constructor(driver: Pick<Driver, 'links'>) {
    this.#driver = driver
  }

  /** Tells the taps. Resolves to whether any of them has something new to say. */
  async refresh(taps: Iterable<Tap>): Promise<boolean> {
    const waiting = [...taps].filter(tap => tap.isWaiting)
    let isNews = false
    for (const [netns, all] of Map.groupBy(waiting, tap => tap.place.netns)) {
      const links = new Map((await this.#linksOf(netns)).map(link => [link.name, link.packets]))
      for (const tap of all) isNews = this.#tell(tap, links.get(tap.place.interfaceName)) || isNews
    }
    return isNews
  }

  #tell(tap: Tap, packets: number | undefined): boolean {
    if (packets === undefined) return false
    const before = this.#before.get(tap)
    if (before !== undefined && packets >= before) return tap.row.noteCarried(packets - before)
    this.#before.set(tap, packets) // the first look, or the interface was made anew
    return false
  }

  async #linksOf(netns: string | undefined): Promise<readonly Link[]> {
    try {
      return await this.#driver.links(netns)
    } catch (error) {
      if (error instanceof TapError) return [] // it has gone; the tap tells of that itself
      throw error
    }
  }
}
