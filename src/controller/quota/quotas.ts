// Grants passes to captures where the number of their nodes is limited. In: a capture, its intent,
// each node's observation. Out: the nodes that may take part, the annotations with the pass, and
// when to sync again. Without a limit no request is sent. Nodes are counted anew when the spec, the
// limit or the waiting nodes change. Only counts are cached: a new controller counts again.

import type { NodeObservation, QuotaState } from '../../api/reconcilerTypes.ts'
import { grantPass, isCounted } from '../../api/retina/grantPass.ts'
import { annotationsWith } from '../../api/retina/passAnnotation.ts'
import type { KubeObject, Labelled } from '../../kube/informer.ts'
import type { Kube } from '../../kube/request.ts'
import type { Intent, Rejection } from '../../model/capture.ts'
import type { Labels } from '../../model/labels.ts'
import type { Settings } from '../../model/settings.ts'
import { never } from '../../model/time.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CachedCapture } from '../cachedCapture.ts'
import { countNodes } from './countNodes.ts'

export type QuotaDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly settings: () => Settings
}

export type QuotaInput = {
  readonly capture: CachedCapture
  readonly read: Intent | Rejection
  readonly rows: readonly NodeObservation[] // of this capture's uid
  readonly nodes: Iterable<KubeObject>
}

/**
 * `state` undefined: the number of nodes is not limited. `annotations`: the wanted ones; missing:
 * no change.
 */
export type QuotaSync = {
  readonly state?: QuotaState
  readonly annotations?: Labels
  readonly wakeAtMs: number
}

type NodeCount = { readonly needed?: readonly string[]; readonly failure?: string }
type CountedNodes = NodeCount & {
  readonly spec: string
  readonly waiting: string
  readonly atMs: number
}

const recheckMs = 1_000 // shortest interval between two counts, because a count lists pods
const retryDelayMs = 10_000
const recountMs = 300_000 // nodes without an agent do not report that their pods are gone

export class Quotas {
  readonly #deps: QuotaDeps
  readonly #counted = new Map<string, CountedNodes>() // by uid

  constructor(deps: QuotaDeps) {
    this.#deps = deps
  }

  async sync(input: QuotaInput, signal: AbortSignal): Promise<QuotaSync> {
    const { capture, read, rows } = input
    if (!read.ok || !read.quota) return { wakeAtMs: never }
    const { metadata } = capture
    const { quota } = read
    const waiting = waitingIn(rows, metadata.generation)
    const isDue = !isCounted({ metadata, quota })
    const { needed, failure, wakeAtMs } = isDue
      ? await this.#count(input, quota.nodesMax, waiting, signal)
      : { wakeAtMs: never }
    const nowMs = this.#deps.clock.now()
    const { pass, exceeded } = grantPass({ metadata, quota, needed, waiting, nowMs })
    return {
      state: {
        through: new Set(pass?.nodes),
        ...(exceeded && { exceeded }),
        ...(failure !== undefined && { failure }),
      },
      ...(pass &&
        pass !== quota.pass && { annotations: annotationsWith(metadata.annotations, pass) }),
      wakeAtMs,
    }
  }

  /** Forgets captures of all other uids. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#counted.keys()) if (!uids.has(uid)) this.#counted.delete(uid)
  }

  /** A count for another spec is not used. */
  async #count(
    { capture, nodes }: QuotaInput,
    limit: number,
    waitingNodes: readonly string[],
    signal: AbortSignal,
  ): Promise<NodeCount & { readonly wakeAtMs: number }> {
    const { clock } = this.#deps
    const { uid, generation } = capture.metadata
    const [spec, waiting] = [`${generation} of ${limit}`, waitingNodes.join()]
    const before = this.#counted.get(uid)
    const nowMs = clock.now()
    const dueAtMs = before && before.atMs <= nowMs ? dueOf(before, spec, waiting) : nowMs
    if (before && nowMs < dueAtMs)
      return { ...(before.spec === spec && resultOf(before)), wakeAtMs: dueAtMs }
    const counted = {
      spec,
      waiting,
      atMs: nowMs,
      ...(await this.#countNow(capture, nodes, signal, waitingNodes)),
    }
    this.#counted.set(uid, counted)
    return { ...resultOf(counted), wakeAtMs: dueOf(counted, spec, waiting) }
  }

  /** Nodes that wait are needed even if the list of pods does not show why. */
  async #countNow(
    capture: CachedCapture,
    nodes: Iterable<KubeObject>,
    signal: AbortSignal,
    waiting: readonly string[],
  ): Promise<NodeCount> {
    const { kube, settings } = this.#deps
    const labels = new Map(
      [...nodes].map(({ metadata }) => [
        metadata.name,
        (metadata as Labelled['metadata']).labels ?? {},
      ]),
    )
    return countNodes({ kube, settings: settings(), signal }, capture, labels).then(
      needed => ({ needed: [...new Set([...needed, ...waiting])].toSorted() }),
      (error: Error) => ({
        failure: `Cannot count the nodes that the capture needs: ${error.message}`,
      }),
    )
  }
}

function resultOf({ needed, failure }: NodeCount): NodeCount {
  return { ...(needed && { needed }), ...(failure !== undefined && { failure }) }
}

function dueOf(before: CountedNodes, spec: string, waiting: string): number {
  if (before.spec !== spec || before.waiting !== waiting) return before.atMs + recheckMs
  return before.atMs + (before.failure === undefined ? recountMs : retryDelayMs)
}

/** Nodes that have endpoints of the current generation and wait for a pass. */
function waitingIn(rows: readonly NodeObservation[], generation: number): string[] {
  const isWaiting = ({ row, silentSinceMs }: NodeObservation) =>
    silentSinceMs === undefined &&
    row.isListed &&
    row.observedGeneration === generation &&
    row.file.endpoints.some(({ state }) => state === 'Scheduled')
  return rows
    .filter(isWaiting)
    .map(({ row }) => row.file.node)
    .toSorted()
}
