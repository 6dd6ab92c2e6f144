// Tells what happened to captures, as Events, before their status says so: a controller that dies in between is followed by one that
// finds the same change of the same version, and tells it under the same name. In: what is to be told, the version it was decided
// upon. Of each kind one a minute: a capture that flaps makes no flood.

import { eventOf } from '../api/packetcapture/events.ts'
import type { Told } from '../kube/event.ts'
import type { CaptureDocument } from '../model/world.ts'
import { type DeedParts, tell } from './apiWriter.ts'
import type { Tally } from './metrics.ts'

const quietMs = 60_000

type News = { readonly told: readonly Told[]; readonly version: string; readonly nowMs: number }

export class Teller {
  readonly #told = new Map<string, Map<string, number>>() // when, by uid and what

  async tell(parts: DeedParts, capture: CaptureDocument, { told, version, nowMs }: News, tally: Tally['eventWrites']): Promise<void> {
    const { uid, namespace } = capture.metadata
    const before = this.#told.get(uid) ?? new Map<string, number>()
    this.#told.set(uid, before)
    for (const [what, atMs] of before) if (Math.abs(nowMs - atMs) >= quietMs) before.delete(what)
    for (const each of told) {
      const what = `${each.reason} ${each.mark ?? ''}`
      if (before.has(what)) continue
      const isTold = await tell(parts, namespace || 'default', eventOf(capture, each, { version, nowMs }))
      if (isTold) before.set(what, nowMs)
      tally[isTold ? 'written' : 'failed']++
    }
  }

  /** Forgets all but these. */
  keepOnly(uids: ReadonlySet<string>): void {
    for (const uid of this.#told.keys()) if (!uids.has(uid)) this.#told.delete(uid)
  }

  clear(): void {
    this.#told.clear()
  }
}
