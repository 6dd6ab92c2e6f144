// Lets captures through where the number of their nodes is limited. In: a capture, what its spec means, every node's row. Out: its
// pass, why it has none, and when to look again. Nodes are counted anew when the spec, the limit or the nodes that wait are others;
// what was counted is kept here, and nothing else: a controller that is killed is followed by one that counts again.
// Without a limit it asks nobody anything.

import type { NodeObservation, QuotaState } from '../../api/reconciliation.ts'
import { grantPass, isCounted } from '../../api/retina/grantPass.ts'
import { annotationsWith } from '../../api/retina/passAnnotation.ts'
import type { KubeObject, Labelled } from '../../kube/informer.ts'
import type { Kube } from '../../kube/request.ts'
import type { Intent, Rejection } from '../../model/capture.ts'
import type { Labels } from '../../model/labels.ts'
import type { Settings } from '../../model/settings.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CachedCapture } from '../cachedCapture.ts'
import { countNodes } from './countNodes.ts'

export type QuotaDeps = { readonly kube: Kube; readonly clock: Clock; readonly settings: () => Settings }

export type QuotaInput = {
  readonly capture: CachedCapture
  readonly read: Intent | Rejection
  readonly rows: readonly NodeObservation[] // of this capture's uid
  readonly nodes: Iterable<KubeObject>
}

/** `verdict` undefined: nothing is limited. `annotations`: what they should be, where they are not. */
export type QuotaSync = { readonly state?: QuotaState; readonly annotations?: Labels; readonly wakeAtMs: number }

type NodeCount = { readonly needed?: readonly string[]; readonly failure?: string }
type CountedNodes = NodeCount & { readonly spec: string; readonly waiting: string; readonly atMs: number }

const recheckMs = 1_000 // counting costs lists: no more often, whatever happens
const retryDelayMs = 10_000
const recountMs = 300_000 // nodes without an agent say nothing when their pods go
const never = Number.POSITIVE_INFINITY

export class Quotas {
  readonly #parts: QuotaDeps
  readonly #counted = new Map<string, CountedNodes>() // by uid

  constructor(parts: QuotaDeps) {
    this.#parts = parts
  }

  async sync(input: QuotaInput, signal: AbortSignal): Promise<QuotaSync> {
    const { capture, read, rows } = input
    if (!read.ok || !read.quota) return { wakeAtMs: never }
    const { metadata } = capture
    const { quota } = read
    const waiting = waitingIn(rows, metadata.generation)
    const isDue = !isCounted({ metadata, quota })
    const { needed, failure, wakeAtMs } = isDue ? await this.#count(input, quota.nodesMax, waiting, signal) : { wakeAtMs: never }
    const nowMs = this.#parts.clock.now()
    const { pass, exceeded } = grantPass({ metadata, quota, needed, waiting, nowMs })
    return {
      state: { through: new Set(pass?.nodes), ...(exceeded && { exceeded }), ...(failure !== undefined && { failure }) },
      ...(pass && pass !== quota.pass && { annotations: annotationsWith(metadata.annotations, pass) }),
      wakeAtMs,
    }
  }

  /** Forgets all but these. */
  retain(uids: ReadonlySet<string>): void {
    for (const uid of this.#counted.keys()) if (!uids.has(uid)) this.#counted.delete(uid)
  }

  /** What was counted for another spec says nothing of this one. */
  async #count(
    { capture, nodes }: QuotaInput,
    limit: number,
    waitingNodes: readonly string[],
    signal: AbortSignal,
  ): Promise<NodeCount & { readonly wakeAtMs: number }> {
    const { clock } = this.#parts
    const { uid, generation } = capture.metadata
    const [spec, waiting] = [`${generation} of ${limit}`, waitingNodes.join()]
    const before = this.#counted.get(uid)
    const nowMs = clock.now()
    const dueAtMs = before && before.atMs <= nowMs ? dueOf(before, spec, waiting) : nowMs
    if (before && nowMs < dueAtMs) return { ...(before.spec === spec && resultOf(before)), wakeAtMs: dueAtMs }
    const counted = { spec, waiting, atMs: nowMs, ...(await this.#survey(capture, nodes, signal, waitingNodes)) }
    this.#counted.set(uid, counted)
    return { ...resultOf(counted), wakeAtMs: dueOf(counted, spec, waiting) }
  }

  /** Those that wait are needed, whatever a list says: they know best. */
  async #survey(capture: CachedCapture, nodes: Iterable<KubeObject>, signal: AbortSignal, waiting: readonly string[]): Promise<NodeCount> {
    const { kube, settings } = this.#parts
    const labels = new Map([...nodes].map(({ metadata }) => [metadata.name, (metadata as Labelled['metadata']).labels ?? {}]))
    return countNodes({ kube, settings: settings(), signal }, capture, labels).then(
      needed => ({ needed: [...new Set([...needed, ...waiting])].toSorted() }),
      (error: Error) => ({ failure: `Cannot count the nodes that the capture needs: ${error.message}` }),
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

/** Nodes that have something of the capture at hand, as it is written now, and do not begin. */
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
