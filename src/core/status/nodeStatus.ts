// This node's status element of each capture. Pure. In: a turn's decisions and the node's actual
// state. Out: elements by capture key. The first rule that applies gives the state: a rejection is
// Error; an open tap is Capturing once it has a packet, and WaitingForTraffic before; then the
// phase (Scheduled, Finished); then a failure that left no tap open is Error.

import type { ActualState } from '../../model/actualState.ts'
import type { ArtifactResult } from '../../model/artifact.ts'
import type { CaptureDecision, Phase } from '../../model/decision.ts'
import type { ArtifactStatus, CaptureStateName, CaptureStatusElement } from '../../model/status.ts'
import { retryAtMs } from '../schedule/artifactRetry.ts'
import { addCounts, joinTexts, plainText } from './counters.ts'
import { problemsOf } from './degraded.ts'
import { type EndpointRow, type HeldEndpoint, rowsOf } from './endpointStatus.ts'
import { explain } from './message.ts'

export type { CaptureStatusElement } from '../../model/status.ts'

/** `isStopped`: the process is about to end, and this is its last status. */
export type NodeContext = {
  readonly node: string
  readonly directory: string
  readonly isStopped?: boolean
}

export function nodeStatuses(
  captures: ReadonlyMap<string, CaptureDecision>,
  { captures: actualCaptures, taps }: Pick<ActualState, 'captures' | 'taps'>,
  context: NodeContext,
): Map<string, CaptureStatusElement> {
  return new Map(
    [...captures].map(([key, decision]) => {
      const known = actualCaptures.get(key)
      const actual = known?.uid === decision.capture.uid ? known : undefined
      return [key, nodeStatus({ decision, actual, taps }, context)]
    }),
  )
}

export function nodeStatus(
  all: HeldEndpoint,
  { node, directory, isStopped = false }: NodeContext,
): CaptureStatusElement {
  const held = { ...(isBefore(all.decision.phase) ? beforeWindow(all) : all), isStopped }
  const rows = rowsOf(held)
  const state = stateOf(held.decision, rows)
  const problems = problemsOf(held, rows)
  const isCutShort =
    isStopped &&
    rows.some(({ status }) => ['WaitingForTraffic', 'Capturing'].includes(status.state))
  const stopped = isCutShort
    ? [`selcap has stopped on node "${node}": nothing is captured here until it runs again`]
    : []
  const { text: message, wording } = joinTexts([
    ...stopped.map(plainText),
    explain(held, node, state, rows, problems),
  ])
  const isRejected = held.decision.phase.kind === 'Rejected'
  const { matches } = held.decision
  return {
    node,
    directory,
    fileNames: held.actual?.fileNames.toSorted() ?? [],
    ...(held.actual?.stateId !== undefined && { stateId: held.actual.stateId }),
    state,
    ...(held.actual?.artifact && { artifact: artifactOf(held.actual.artifact) }),
    ...failingIn(rows),
    ...(message !== '' && { message }),
    ...(wording !== message && { wording }),
    ...addCounts(rows.map(({ status }) => status)),
    endpoints: rows.map(({ status }) => status),
    isListed: rows.length > 0 || isRejected,
    isRejected,
    ...(isCutShort && { isStopped: true }),
    isUncapturable: matches.matched.length === 0 && matches.pods.length + matches.hostNetwork > 0,
    problems,
  }
}

function failingIn(rows: readonly EndpointRow[]): Pick<CaptureStatusElement, 'failing'> {
  const wanted = rows.filter(({ endpoint }) => endpoint !== undefined)
  const failed = wanted.flatMap(({ tap }) =>
    tap?.state === 'failed' && tap.spec.triesMax !== undefined ? [tap] : [],
  )
  const [first] = failed
  if (!first || wanted.some(({ isLive }) => isLive)) return {}
  const isGivenUp =
    failed.length === wanted.length && failed.every(({ retryAtMs: atMs }) => atMs === undefined)
  return {
    failing: {
      tries: Math.max(...failed.map(({ tries = 0 }) => tries)),
      isGivenUp,
      message: first.message ?? '',
    },
  }
}

function isBefore({ kind }: Phase): boolean {
  return kind === 'Scheduled' || kind === 'Held'
}

// Before the window opens the status shows neither its waiting taps nor the refused ones.
function beforeWindow({ decision, actual }: HeldEndpoint): HeldEndpoint {
  return { decision: { ...decision, refused: new Map() }, actual, taps: new Map() }
}

function artifactOf(made: ArtifactResult): ArtifactStatus {
  const { atMs: _, isKept: __, isRemoved: removed, ...rest } = made
  return {
    ...rest,
    ...(removed && { removed }),
    ...(retryAtMs(made) !== undefined && { retried: true }),
  }
}

function stateOf({ phase }: CaptureDecision, rows: readonly EndpointRow[]): CaptureStateName {
  if (phase.kind === 'Rejected') return 'Error'
  if (rows.some(({ isLive }) => isLive))
    return rows.some(({ status }) => status.packets > 0) ? 'Capturing' : 'WaitingForTraffic'
  switch (phase.kind) {
    case 'Held':
      return 'Scheduled'
    case 'Scheduled':
    case 'Finished':
      return phase.kind
    case 'Halted':
      return 'Error'
    case 'Open':
      if (rows.some(({ status }) => status.state === 'Error')) return 'Error'
      return rows.find(({ status }) => status.state === 'Capturing')
        ? 'Capturing'
        : 'WaitingForTraffic'
  }
}
