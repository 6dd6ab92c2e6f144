// Tells what happened to captures, as Events, before their status says so: a controller that dies in between is followed by one that
// finds the same change of the same version, and tells it under the same name. In: what is to be told, the version it was decided
// upon. Of each kind one a minute: a capture that flaps makes no flood.

import { eventOf } from '../api/packetcapture/events.ts'
import type { CaptureEvent } from '../model/event.ts'
import type { CaptureDocument } from '../model/world.ts'
import { type ApiWriterDeps, createEvent } from './apiWriter.ts'
import type { ControllerCounters } from './metrics.ts'

const repeatAfterMs = 60_000

type EventBatch = { readonly events: readonly CaptureEvent[]; readonly version: string; readonly nowMs: number }

export class EventRecorder {
  readonly #told = new Map<string, Map<string, number>>() // when, by uid and what

  async record(
    parts: ApiWriterDeps,
    capture: CaptureDocument,
    { events: told, version, nowMs }: EventBatch,
    tally: ControllerCounters['eventWrites'],
  ): Promise<void> {
    const { uid, namespace } = capture.metadata
    const before = this.#told.get(uid) ?? new Map<string, number>()
    this.#told.set(uid, before)
    for (const [what, atMs] of before) if (Math.abs(nowMs - atMs) >= repeatAfterMs) before.delete(what)
    for (const each of told) {
      const what = `${each.reason} ${each.mark ?? ''}`
      if (before.has(what)) continue
      const isTold = await createEvent(parts, namespace || 'default', eventOf(capture, each, { version, nowMs }))
      if (isTold) before.set(what, nowMs)
      tally[isTold ? 'written' : 'failed']++
    }
  }

  /** Forgets all but these. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#told.keys()) if (!uids.has(uid)) this.#told.delete(uid)
  }

  clear(): void {
    this.#told.clear()
  }
}
