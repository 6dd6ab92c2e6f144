// What follows from a world whose documents were read: match, schedule, then the budgets of disk, endpoints and rings, then plan.
// In: intents, rejections and endpoints, what the node holds, the time. Out: the decision. It only strings the pure stages together.
// Desired taps depend on the world and the time alone, except for the size of rings and while the disk is full.

import type { ActualCapture, ActualState, Halt } from '../model/actualState.ts'
import { retryAtMs } from '../model/artifact.ts'
import { type Intent, type Rejection, rejectionOf } from '../model/capture.ts'
import type { ArtifactJob, CaptureDecision, Decision, FollowedCapture } from '../model/decision.ts'
import type { Endpoint } from '../model/endpoint.ts'
import { filterKey, tapId } from '../model/tap.ts'
import { compareText } from '../model/text.ts'
import type { World } from '../model/world.ts'
import { type Candidates, candidatesOf, matchEndpoints } from './match.ts'
import { type Admission, admitTaps } from './plan/admit.ts'
import {
  type CaptureState,
  captureDecisionOf,
  countOpen,
  desiredTapsOf,
  diskUserOf,
  haltOf,
  rejectedDecisionOf,
  staleHalts,
  wantsTaps,
  withHalt,
} from './plan/captureState.ts'
import { closeReasonOf, keptWhileUnsynced, type Lookups, orphanedCaptures } from './plan/closeReason.ts'
import type { DesiredTap } from './plan/desiredTap.ts'
import { changeHalts, type DiskInput } from './plan/diskBudget.ts'
import { plan } from './plan/plan.ts'
import { expiresAt } from './schedule/expiry.ts'
import { nodePhase } from './schedule/nodePhase.ts'
import { tapDemandAt } from './schedule/tapDemand.ts'

/** The world after its documents were read. */
export type DecideInput = {
  readonly world: Pick<World, 'node' | 'settings' | 'isSynced'>
  readonly read: readonly (Intent | Rejection)[]
  readonly endpoints: readonly Endpoint[]
}

export function decideIntents({ world, read, endpoints }: DecideInput, actual: ActualState, nowMs: number): Decision {
  const { accepted, rejected } = byOutcome(read, actual.filterErrors)
  const candidates = candidatesOf(endpoints, world.node)
  const timed = accepted.map(intent => captureStateOf(intent, candidates, world.node, actual, nowMs))
  const { standings, halts, disk } = underDisk(timed, actual, world.settings, nowMs)
  const outlooks = new Map(
    [...rejected.map(rejectedDecisionOf), ...standings.map(captureDecisionOf)].map(outlook => [outlook.key, outlook]),
  )
  const surroundings = lookupsOf(outlooks, candidates)
  const wishes = world.isSynced ? desiredTapsOf(standings) : desiredWhileUnsynced(desiredTapsOf(standings), actual, surroundings)
  const desire = admitTaps({ desiredTaps: wishes, taps: actual.taps, settings: world.settings, disk })
  const captures = new Map([...outlooks].map(([key, outlook]) => [key, withRefusals(outlook, desire)]))
  const { actions, wakeAtMs } = plan({
    desired: desire.specs,
    actual: actual.taps,
    removals: world.isSynced ? orphanedCaptures(actual.captures, surroundings.decisionOf) : [],
    reasonOf: tap => closeReasonOf(tap, lookupsOf(captures, candidates)),
    nowMs,
  })
  const expiries = world.isSynced ? expiriesOf(standings, actual) : []
  const wakes = [wakeAtMs, ...standings.map(standing => standing.wakeAtMs), ...expiries.map(({ atMs }) => atMs)]
  const finish = unfinished(standings, actual)
  const due = finish.filter(job => (retryTime(job) ?? nowMs) <= nowMs)
  wakes.push(...finish.flatMap(job => retryTime(job) ?? []))
  return {
    actions,
    captures,
    halts,
    finish: due,
    follow: followed(standings, actual),
    wakeAtMs: Math.min(...wakes.filter(atMs => atMs > nowMs)),
    expire: dueOf(expiries, nowMs),
  }
}

/** Oldest first; a filter that did not compile makes its capture a rejection; of two under one key the smaller uid speaks. */
function byOutcome(read: DecideInput['read'], filterErrors: ActualState['filterErrors']): { accepted: Intent[]; rejected: Rejection[] } {
  const byKey = new Map(read.toSorted((a, b) => -compareText(a.capture.uid, b.capture.uid)).map(each => [each.key, each]))
  const judged = [...byKey.values()].map(each => (each.ok ? compiled(each, filterErrors.get(filterKey(each))) : each))
  const accepted = judged.filter(each => each.ok)
  return {
    accepted: accepted.toSorted((a, b) => a.createdAtMs - b.createdAtMs || compareText(a.key, b.key)),
    rejected: judged.filter(each => !each.ok),
  }
}

function compiled(intent: Intent, message: string | undefined): Intent | Rejection {
  return message === undefined ? intent : rejectionOf(intent, message)
}

function captureStateOf(intent: Intent, candidates: Candidates, node: string, actual: ActualState, nowMs: number): CaptureState {
  const known = actual.captures.get(intent.key)
  const facts = known?.uid === intent.capture.uid ? known : undefined
  const { phase, wakeAtMs } = nodePhase({ intent, node, facts, nowMs })
  const { window, lookAtMs } = tapDemandAt(intent.window, phase, nowMs)
  return { intent, facts, matches: matchEndpoints(intent, candidates, node), phase, window, wakeAtMs: Math.min(wakeAtMs, lookAtMs) }
}

type UnderDisk = { readonly standings: readonly CaptureState[]; readonly halts: Decision['halts']; readonly disk: Omit<DiskInput, 'nowMs'> }

/** Halts captures, or lets them go on, as the disk demands. */
function underDisk(timed: readonly CaptureState[], actual: ActualState, settings: World['settings'], nowMs: number): UnderDisk {
  const open = countOpen(actual.taps)
  const users = timed.filter(wantsTaps).map(standing => diskUserOf(standing, open.get(standing.intent.key) ?? 0))
  const changed = changeHalts({ users, disk: actual.disk, settings, nowMs })
  const haltNow = (standing: CaptureState): Halt | undefined =>
    changed.has(standing.intent.key) ? changed.get(standing.intent.key) : haltOf(standing)
  const standings = timed.map(standing => withHalt(standing, haltNow(standing)))
  const running = new Set(standings.filter(wantsTaps).map(({ intent }) => intent.key))
  const left = users.filter(({ key }) => running.has(key)).map(({ halt: _, ...user }) => user)
  return { standings, halts: new Map([...staleHalts(timed), ...changed]), disk: { users: left, disk: actual.disk, settings } }
}

function lookupsOf(outlooks: ReadonlyMap<string, CaptureDecision>, candidates: Candidates): Lookups {
  return {
    decisionOf: key => outlooks.get(key),
    endpointOf: (namespace, name) =>
      candidates.get(namespace)?.find(({ endpoint }) => endpoint.name === name || `${namespace}.${endpoint.name}` === name)?.endpoint,
  }
}

/** The world is not complete: what is open stays, and nothing opens where an earlier capture of that name still has its files. */
function desiredWhileUnsynced(wishes: readonly DesiredTap[], actual: ActualState, surroundings: Lookups): DesiredTap[] {
  const kept = keptWhileUnsynced(actual.taps, wishes, surroundings)
  const keptIds = new Set(kept.map(({ spec }) => spec.id))
  const isFree = ({ capture, captureKey, id }: DesiredTap['spec']) =>
    !keptIds.has(id) && (actual.captures.get(captureKey)?.uid ?? capture.uid) === capture.uid
  return [...kept, ...wishes.filter(({ spec }) => isFree(spec))]
}

function withRefusals(outlook: CaptureDecision, { refused }: Admission): CaptureDecision {
  const entries = outlook.matches.matched.flatMap(({ name }) => {
    const refusal = refused.get(tapId(outlook.key, name))
    return refusal ? [[name, refusal] as const] : []
  })
  return { ...outlook, refused: new Map(entries) }
}

/** Captures that are over on this node, held packets or could have, and want an artifact that is not made yet. */
function unfinished(standings: readonly CaptureState[], { taps }: ActualState): ArtifactJob[] {
  const open = countOpen(taps)
  return standings.flatMap(({ intent: { key, capture, artifact }, phase, facts }) =>
    artifact && phase.kind === 'Finished' && facts && isWanting(facts) && !open.has(key) ? [{ key, capture, artifact, facts }] : [],
  )
}

/** What is over is printed to its end by whoever finishes it. */
function followed(standings: readonly CaptureState[], { taps }: ActualState): FollowedCapture[] {
  const open = countOpen(taps)
  return standings.flatMap(({ intent: { key, capture, artifact }, phase, facts }) => {
    const isPrinted = artifact?.kind === 'SingleFile' && artifact.form === 'stdout' && facts?.artifact === undefined
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
function expiriesOf(standings: readonly CaptureState[], { taps }: ActualState): { key: string; atMs: number }[] {
  const open = countOpen(taps)
  const finished = standings.filter(({ intent, phase }) => phase.kind === 'Finished' && !open.has(intent.key))
  return finished.map(({ intent, phase, facts }) => ({ key: intent.key, atMs: expiresAt(intent, phase, endsOf(facts)) }))
}

/** An endpoint without an end has no open tap either: it does not keep the capture. */
function endsOf(actual: ActualCapture | undefined): number[] {
  return [...(actual?.endpoints.values() ?? [])].flatMap(({ endedAtMs }) => endedAtMs ?? [])
}

function dueOf(expiries: readonly { readonly key: string; readonly atMs: number }[], nowMs: number): string[] {
  return expiries.filter(({ atMs }) => atMs <= nowMs).map(({ key }) => key)
}
