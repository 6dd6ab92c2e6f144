// Records what happened to captures as Kubernetes Events, and repeats none too soon. In: a capture,
// an Event on it, how to write it. Out: Events in the capture's namespace. An Event that could not
// be written is written at the next occasion.
import type { CaptureEvent } from '../model/event.ts'
import type { CaptureDocument } from '../model/world.ts'
import type { Logger } from '../runtime/log.ts'
import { call } from './client.ts'
import { eventOn, eventRequest } from './event.ts'
import type { Kube, KubeRequest } from './request.ts'

export type EventRecorderOptions = {
  readonly component: string
  readonly repeatAfterMs: number // for Events of one reason and mark on one capture
  /** False: the API server rejected it. */
  readonly write: (request: Omit<KubeRequest, 'signal'>) => Promise<boolean>
}

/**
 * `version` is the capture's resourceVersion when the Event was decided, so two writers of one
 * change make one Event.
 */
export type EventOccurrence = { readonly nowMs: number; readonly version?: string }

const rememberedMax = 10_000

export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #recordedAtMs = new Map<string, number>() // by uid, reason and mark

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  async record(
    capture: CaptureDocument,
    event: CaptureEvent,
    { nowMs, version }: EventOccurrence,
  ): Promise<'written' | 'repeated' | 'failed'> {
    const { component, repeatAfterMs, write } = this.#options
    const { uid, namespace } = capture.metadata
    const key = `${uid} ${event.reason} ${event.mark ?? ''}`
    if (Math.abs(nowMs - (this.#recordedAtMs.get(key) ?? Number.NEGATIVE_INFINITY)) < repeatAfterMs)
      return 'repeated'
    if (this.#recordedAtMs.size >= rememberedMax) this.#recordedAtMs.clear()
    this.#recordedAtMs.set(key, nowMs)
    const body = eventOn(capture, event, {
      component,
      nowMs,
      ...(version !== undefined && { version }),
    })
    if (await write(eventRequest(namespace || 'default', body))) return 'written'
    this.#recordedAtMs.delete(key)
    return 'failed'
  }

  /** Forgets the captures of all other uids. */
  retain(uids: ReadonlySet<string>): void {
    for (const key of this.#recordedAtMs.keys())
      if (!uids.has(key.slice(0, key.indexOf(' ')))) this.#recordedAtMs.delete(key)
  }
}

/**
 * Writes Events on behalf of a program that must not wait for them or fail with them: a failure is
 * a log line.
 */
export function eventWriter(kube: Kube, log: Pick<Logger, 'warn'>): EventRecorderOptions['write'] {
  return async request => {
    try {
      const answer = await call(kube, request)
      if (answer.ok) return true
      log.warn({ said: answer.message }, 'event not written')
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'event not written')
    }
    return false
  }
}
