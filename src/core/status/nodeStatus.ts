// This node's element for each capture. In: what a turn decided and what the node holds now. Out: elements by capture key.
// State, by the first that applies: a rejection is an Error; an open tap makes it Capturing once any packet was seen and
// WaitingForTraffic before; then the window (Scheduled, Finished); then a failure that left no tap open is an Error.

import type { ActualState } from '../../model/actualState.ts'
import { type ArtifactResult, retryAtMs } from '../../model/artifact.ts'
import type { CaptureDecision, Phase } from '../../model/decision.ts'
import type { ArtifactStatus, CaptureStateName, CaptureStatusElement } from '../../model/status.ts'
import { addCounts } from './counters.ts'
import { problemsOf } from './degraded.ts'
import { type EndpointRow, type HeldEndpoint, rowsOf } from './endpointStatus.ts'
import { explain } from './message.ts'

export type { CaptureStatusElement } from '../../model/status.ts'

/** `isStopped`: the process is about to end, and this is the last it says. */
export type NodePlace = { readonly node: string; readonly directory: string; readonly isStopped?: boolean }

export function nodeStatuses(
  captures: ReadonlyMap<string, CaptureDecision>,
  actual: Pick<ActualState, 'captures' | 'taps'>,
  place: NodePlace,
): Map<string, CaptureStatusElement> {
  return new Map(
    [...captures].map(([key, outlook]) => {
      const known = actual.captures.get(key)
      const facts = known?.uid === outlook.capture.uid ? known : undefined
      return [key, nodeStatus({ decision: outlook, facts, taps: actual.taps }, place)]
    }),
  )
}

export function nodeStatus(all: HeldEndpoint, { node, directory, isStopped = false }: NodePlace): CaptureStatusElement {
  const held = isBefore(all.decision.phase) ? beforeWindow(all) : all
  const rows = rowsOf(held)
  const state = stateOf(held.decision, rows)
  const problems = problemsOf(held, rows)
  const isCutShort = isStopped && rows.some(({ status }) => status.state === 'WaitingForTraffic')
  const stopped = isCutShort ? [`selcap has stopped on node "${node}": nothing is captured here until it runs again`] : []
  const message = [...stopped, explain(held, node, state, rows, problems)].filter(text => text !== '').join('; ')
  const isRejected = held.decision.phase.kind === 'Rejected'
  return {
    node,
    directory,
    fileNames: held.facts?.fileNames.toSorted() ?? [],
    state,
    ...(held.facts?.artifact && { artifact: artifactOf(held.facts.artifact) }),
    ...failingIn(rows),
    ...(message !== '' && { message }),
    ...addCounts(rows.map(({ status }) => status)),
    endpoints: rows.map(({ status }) => status),
    isListed: rows.length > 0 || isRejected,
    isRejected,
    isHostNetworked: held.decision.matches.matched.length === 0 && held.decision.matches.hostNetwork > 0,
    problems,
  }
}

function failingIn(rows: readonly EndpointRow[]): Pick<CaptureStatusElement, 'failing'> {
  const wanted = rows.filter(({ endpoint }) => endpoint !== undefined)
  const failed = wanted.flatMap(({ tap }) => (tap?.state === 'failed' && tap.spec.triesMax !== undefined ? [tap] : []))
  const [first] = failed
  if (!first || wanted.some(({ isLive }) => isLive)) return {}
  const isGivenUp = failed.length === wanted.length && failed.every(({ retryAtMs: atMs }) => atMs === undefined)
  return { failing: { tries: Math.max(...failed.map(({ tries = 0 }) => tries)), isGivenUp, message: first.message ?? '' } }
}

function isBefore({ kind }: Phase): boolean {
  return kind === 'Scheduled' || kind === 'Held'
}

// Taps that wait for the window, and those that could not be had, are nobody's concern until it opens.
function beforeWindow({ decision: outlook, facts }: HeldEndpoint): HeldEndpoint {
  return { decision: { ...outlook, refused: new Map() }, facts, taps: new Map() }
}

function artifactOf(made: ArtifactResult): ArtifactStatus {
  const { atMs: _, isKept: __, isRemoved: removed, ...rest } = made
  return { ...rest, ...(removed && { removed }), ...(retryAtMs(made) !== undefined && { retried: true }) }
}

function stateOf({ phase }: CaptureDecision, rows: readonly EndpointRow[]): CaptureStateName {
  if (phase.kind === 'Rejected') return 'Error'
  if (rows.some(({ isLive }) => isLive)) return rows.some(({ status }) => status.packets > 0) ? 'Capturing' : 'WaitingForTraffic'
  switch (phase.kind) {
    case 'Held':
      return 'Scheduled'
    case 'Scheduled':
    case 'Finished':
      return phase.kind
    case 'Halted':
      return 'Error'
    case 'Open':
      return rows.some(({ status }) => status.state === 'Error') ? 'Error' : 'WaitingForTraffic'
  }
}
