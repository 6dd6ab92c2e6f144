// Decides what follows from the documents that were read: match, schedule, the budgets of disk,
// endpoints and rings, then plan. Pure. In: intents, rejections and endpoints, the node's actual
// state, the time. Out: the decision. This file only joins the stages. Desired taps depend on the
// world and the time alone, except for the size of rings and while the disk is full.

import type { ActualCapture, ActualState, Halt } from '../model/actualState.ts'
import { type Intent, type Rejection, rejectionOf } from '../model/capture.ts'
import type {
  ArtifactJob,
  CaptureDecision,
  Decision,
  FollowedCapture,
  MatchCounts,
} from '../model/decision.ts'
import { type Endpoint, endpointKey, podKey } from '../model/endpoint.ts'
import { filterKey, tapId } from '../model/tap.ts'
import { compareText } from '../model/text.ts'
import type { World } from '../model/world.ts'
import { type Candidates, candidatesOf, matchEndpoints } from './match.ts'
import { type Admission, admitTaps } from './plan/admit.ts'
import {
  type CaptureState,
  captureDecisionOf,
  countOpen,
  diskUserOf,
  haltOf,
  rejectedDecisionOf,
  staleHalts,
  withHalt,
} from './plan/captureState.ts'
import {
  closeReasonOf,
  keptWhileUnsynced,
  type Lookups,
  orphanedCaptures,
} from './plan/closeReason.ts'
import { type DesiredTap, desiredTapsOf, wantsTaps } from './plan/desiredTap.ts'
import { changeHalts, type DiskInput } from './plan/diskBudget.ts'
import { plan } from './plan/plan.ts'
import { endpointsOf } from './podInterfaces.ts'
import { retryAtMs } from './schedule/artifactRetry.ts'
import { expiresAt } from './schedule/expiry.ts'
import { nodePhase } from './schedule/nodePhase.ts'
import { tapDemandAt } from './schedule/tapDemand.ts'

/** The world after its documents were read. */
export type DecideInput = {
  readonly world: Pick<World, 'node' | 'settings' | 'isSynced' | 'isComplete'>
  readonly read: readonly (Intent | Rejection)[]
  readonly endpoints: readonly Endpoint[]
}

export function decideIntents(
  { world, read, endpoints }: DecideInput,
  state: ActualState,
  nowMs: number,
): Decision {
  const { accepted, rejected } = byOutcome(read, state.filterErrors)
  const candidates = candidatesOf(endpoints, world.node)
  const scheduled = accepted.map(intent =>
    captureStateOf(intent, candidates, world.node, state, nowMs),
  )
  const { captureStates, halts, disk } = underDisk(scheduled, state, world.settings, nowMs)
  const decisions = new Map(
    [...rejected.map(rejectedDecisionOf), ...captureStates.map(captureDecisionOf)].map(decision => [
      decision.key,
      decision,
    ]),
  )
  const lookups = lookupsOf(decisions, candidates)
  const desiredTaps = world.isSynced
    ? desiredTapsOf(captureStates)
    : desiredWhileUnsynced(desiredTapsOf(captureStates), state, lookups)
  const admission = admitTaps({ desiredTaps, taps: state.taps, settings: world.settings, disk })
  const captures = new Map(
    [...decisions].map(([key, decision]) => [key, withRefusals(decision, admission)]),
  )
  const { actions, wakeAtMs } = plan({
    desired: admission.specs,
    actual: state.taps,
    removals: world.isSynced ? removable(state.captures, lookups.decisionOf, world) : [],
    reasonOf: tap => closeReasonOf(tap, lookupsOf(captures, candidates)),
    nowMs,
  })
  const expiries = world.isSynced ? expiriesOf(captureStates, state) : []
  const wakes = [
    wakeAtMs,
    ...captureStates.map(captureState => captureState.wakeAtMs),
    ...expiries.map(({ atMs }) => atMs),
  ]
  const finish = unfinished(captureStates, state)
  const due = finish.filter(job => (retryTime(job) ?? nowMs) <= nowMs)
  wakes.push(...finish.flatMap(job => retryTime(job) ?? []))
  return {
    actions,
    captures,
    halts,
    lookAt: podsToLookAt(captureStates),
    finish: due,
    follow: followed(captureStates, state),
    wakeAtMs: Math.min(...wakes.filter(atMs => atMs > nowMs)),
    expire: dueOf(expiries, nowMs),
  }
}

/**
 * Oldest first. A filter that does not compile makes its capture a rejection. Of two captures under
 * one key the smaller uid counts.
 */
function byOutcome(
  read: DecideInput['read'],
  filterErrors: ActualState['filterErrors'],
): { accepted: Intent[]; rejected: Rejection[] } {
  const byKey = new Map(
    read
      .toSorted((a, b) => -compareText(a.capture.uid, b.capture.uid))
      .map(each => [each.key, each]),
  )
  const checked = [...byKey.values()].map(each =>
    each.ok ? compiled(each, filterErrors.get(filterKey(each))) : each,
  )
  const accepted = checked.filter(each => each.ok)
  return {
    accepted: accepted.toSorted(
      (a, b) => a.createdAtMs - b.createdAtMs || compareText(a.key, b.key),
    ),
    rejected: checked.filter(each => !each.ok),
  }
}

function compiled(intent: Intent, message: string | undefined): Intent | Rejection {
  return message === undefined ? intent : rejectionOf(intent, message)
}

function captureStateOf(
  intent: Intent,
  candidates: Candidates,
  node: string,
  state: ActualState,
  nowMs: number,
): CaptureState {
  const known = state.captures.get(intent.key)
  const actual = known?.uid === intent.capture.uid ? known : undefined
  const { phase, wakeAtMs } = nodePhase({ intent, node, actual, nowMs })
  const { window, wakeAtMs: demandWakeAtMs } = tapDemandAt(intent.window, phase, nowMs)
  return {
    intent,
    actual,
    matches: withInterfaces(intent, matchEndpoints(intent, candidates, node), state),
    phase,
    window,
    wakeAtMs: Math.min(wakeAtMs, demandWakeAtMs),
  }
}

function withInterfaces(
  { interfaces }: Intent,
  matches: MatchCounts,
  { podInterfaces }: ActualState,
): MatchCounts {
  if (!interfaces) return matches
  const matched = matches.pods.flatMap(pod => endpointsOf(pod, interfaces, podInterfaces))
  return { ...matches, matched }
}

function podsToLookAt(captureStates: readonly CaptureState[]): readonly Endpoint[] {
  const pods = captureStates
    .filter(captureState => captureState.intent.interfaces && wantsTaps(captureState))
    .flatMap(({ matches }) => matches.pods)
  return [...new Map(pods.map(pod => [podKey(pod), pod])).values()]
}

type UnderDisk = {
  readonly captureStates: readonly CaptureState[]
  readonly halts: Decision['halts']
  readonly disk: Omit<DiskInput, 'nowMs'>
}

/** Halts captures when the disk is full, and resumes them when it has room. */
function underDisk(
  scheduled: readonly CaptureState[],
  state: ActualState,
  settings: World['settings'],
  nowMs: number,
): UnderDisk {
  const open = countOpen(state.taps)
  const users = scheduled
    .filter(wantsTaps)
    .map(captureState => diskUserOf(captureState, open.get(captureState.intent.key) ?? 0))
  const changed = changeHalts({ users, disk: state.disk, settings, nowMs })
  const haltNow = (captureState: CaptureState): Halt | undefined =>
    changed.has(captureState.intent.key)
      ? changed.get(captureState.intent.key)
      : haltOf(captureState)
  const captureStates = scheduled.map(captureState => withHalt(captureState, haltNow(captureState)))
  const running = new Set(captureStates.filter(wantsTaps).map(({ intent }) => intent.key))
  const left = users.filter(({ key }) => running.has(key)).map(({ halt: _, ...user }) => user)
  return {
    captureStates,
    halts: new Map([...staleHalts(scheduled), ...changed]),
    disk: { users: left, disk: state.disk, settings },
  }
}

function lookupsOf(
  decisions: ReadonlyMap<string, CaptureDecision>,
  candidates: Candidates,
): Lookups {
  return {
    decisionOf: key => decisions.get(key),
    endpointOf: (namespace, name) =>
      candidates
        .get(namespace)
        ?.find(({ endpoint }) => endpoint.name === name || `${namespace}.${endpoint.name}` === name)
        ?.endpoint,
  }
}

/** A capture that is missing from the world may be described by what could not be read. */
function removable(
  captures: ActualState['captures'],
  decisionOf: Lookups['decisionOf'],
  { isComplete = true }: Pick<World, 'isComplete'>,
): ReturnType<typeof orphanedCaptures> {
  const orphaned = orphanedCaptures(captures, decisionOf)
  return isComplete ? orphaned : orphaned.filter(({ captureKey }) => decisionOf(captureKey))
}

/**
 * Before the world has synced, open taps stay, and no tap opens where an earlier capture of that
 * name still has files.
 */
function desiredWhileUnsynced(
  desiredTaps: readonly DesiredTap[],
  state: ActualState,
  lookups: Lookups,
): DesiredTap[] {
  const kept = keptWhileUnsynced(state.taps, desiredTaps, lookups)
  const keptIds = new Set(kept.map(({ spec }) => spec.id))
  const isFree = ({ capture, captureKey, id }: DesiredTap['spec']) =>
    !keptIds.has(id) && (state.captures.get(captureKey)?.uid ?? capture.uid) === capture.uid
  return [...kept, ...desiredTaps.filter(({ spec }) => isFree(spec))]
}

function withRefusals(decision: CaptureDecision, { refused }: Admission): CaptureDecision {
  const entries = decision.matches.matched.map(endpointKey).flatMap(key => {
    const refusal = refused.get(tapId(decision.key, key))
    return refusal ? [[key, refusal] as const] : []
  })
  return { ...decision, refused: new Map(entries) }
}

/** Captures that finished on this node and whose artifact is missing or due for a retry. */
function unfinished(captureStates: readonly CaptureState[], { taps }: ActualState): ArtifactJob[] {
  const open = countOpen(taps)
  return captureStates.flatMap(({ intent: { key, capture, artifact }, phase, actual }) =>
    artifact && phase.kind === 'Finished' && actual && isWanting(actual) && !open.has(key)
      ? [{ key, capture, artifact, facts: actual }]
      : [],
  )
}

/** A finished capture is not followed: its artifact job prints the rest. */
function followed(
  captureStates: readonly CaptureState[],
  { taps }: ActualState,
): FollowedCapture[] {
  const open = countOpen(taps)
  return captureStates.flatMap(({ intent: { key, capture, artifact }, phase, actual }) => {
    const isPrinted =
      artifact?.kind === 'SingleFile' &&
      artifact.form === 'stdout' &&
      actual?.artifact === undefined
    return isPrinted && (phase.kind !== 'Finished' || open.has(key)) ? [{ key, capture }] : []
  })
}

function isWanting({ artifact: made }: ActualCapture): boolean {
  return made === undefined || retryAtMs(made) !== undefined
}

function retryTime({ facts: { artifact: made } }: ArtifactJob): number | undefined {
  return made && retryAtMs(made)
}

/** Finished captures without an open tap, and when their ttl ends. */
function expiriesOf(
  captureStates: readonly CaptureState[],
  { taps }: ActualState,
): { key: string; atMs: number }[] {
  const open = countOpen(taps)
  const finished = captureStates.filter(
    ({ intent, phase }) => phase.kind === 'Finished' && !open.has(intent.key),
  )
  return finished.map(({ intent, phase, actual }) => ({
    key: intent.key,
    atMs: expiresAt(intent, phase, endsOf(actual)),
  }))
}

/** An endpoint without an end has no open tap either: it does not keep the capture. */
function endsOf(actual: ActualCapture | undefined): number[] {
  return [...(actual?.endpoints.values() ?? [])].flatMap(({ endedAtMs }) => endedAtMs ?? [])
}

function dueOf(
  expiries: readonly { readonly key: string; readonly atMs: number }[],
  nowMs: number,
): string[] {
  return expiries.filter(({ atMs }) => atMs <= nowMs).map(({ key }) => key)
}
