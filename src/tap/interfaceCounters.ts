// Counts the packets on the interfaces of taps that have written none, so that a message can tell
// an idle interface from a filter. In: taps, and the driver's links. Out: the number in each tap's
// record. Asks no driver for a tap that has written a packet.

import type { Driver } from '../driver/driver.ts'
import { linksIfThere } from '../driver/linksIfThere.ts'
import type { Tap } from './tap.ts'

export class InterfaceCounters {
  readonly #driver: Pick<Driver, 'links'>
  readonly #before = new WeakMap<Tap, number>() // the interface's counter when it was first read for the tap

  constructor(driver: Pick<Driver, 'links'>) {
    this.#driver = driver
  }

  /** Resolves to whether the number of any tap changed. */
  async refresh(taps: Iterable<Tap>): Promise<boolean> {
    const waiting = [...taps].filter(tap => tap.isWaiting)
    let isChanged = false
    // A tap whose namespace is gone reports that itself.
    for (const [netns, all] of Map.groupBy(waiting, tap => tap.match.netns)) {
      const links = new Map(
        (await linksIfThere(this.#driver, netns)).map(link => [link.name, link.packets]),
      )
      for (const tap of all)
        isChanged = this.#note(tap, links.get(tap.match.interfaceName)) || isChanged
    }
    return isChanged
  }

  #note(tap: Tap, packets: number | undefined): boolean {
    if (packets === undefined) return false
    const before = this.#before.get(tap)
    if (before !== undefined && packets >= before)
      return tap.record.noteInterfacePackets(packets - before)
    this.#before.set(tap, packets) // the first reading, or the interface was created again
    return false
  }
}
