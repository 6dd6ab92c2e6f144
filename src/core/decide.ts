// What follows from a world whose documents were read: match, schedule, then the budgets of disk, endpoints and rings, then plan.
// In: intents, rejections and endpoints, what the node holds, the time. Out: the decision. It only strings the pure stages together.
// Desired taps depend on the world and the time alone, except for the size of rings and while the disk is full.

import type { Actual, CaptureFacts, Halt } from '../model/actualState.ts'
import { type ArtifactJob, retryAtMs } from '../model/artifact.ts'
import { type Intent, type Rejection, rejectionOf } from '../model/capture.ts'
import type { CaptureOutlook, Decision, Followed } from '../model/decision.ts'
import type { Endpoint } from '../model/endpoint.ts'
import { filterKey, tapId } from '../model/tap.ts'
import type { World } from '../model/world.ts'
import { type Candidates, candidatesOf, matchEndpoints } from './match.ts'
import { type Desire, desiredTaps } from './plan/admit.ts'
import {
  countOpen,
  diskUserOf,
  haltOf,
  outlookOf,
  outlookOfRejection,
  type Standing,
  staleHalts,
  wantsTaps,
  wishesOf,
  withHalt,
} from './plan/captureState.ts'
import { forgotten, type Surroundings, whyUndesired, withheld } from './plan/closeReason.ts'
import { compareText, type Wish } from './plan/desiredTap.ts'
import { changeHalts, type DiskInput } from './plan/diskBudget.ts'
import { plan } from './plan/plan.ts'
import { expiresAt } from './schedule/expiry.ts'
import { phaseOn } from './schedule/nodePhase.ts'
import { wantedAt } from './schedule/tapDemand.ts'

/** The world after its documents were read. */
export type Asked = {
  readonly world: Pick<World, 'node' | 'settings' | 'complete'>
  readonly read: readonly (Intent | Rejection)[]
  readonly endpoints: readonly Endpoint[]
}

export function decideRead({ world, read, endpoints }: Asked, actual: Actual, nowMs: number): Decision {
  const { accepted, rejected } = sift(read, actual.filterErrors)
  const candidates = candidatesOf(endpoints, world.node)
  const timed = accepted.map(intent => stand(intent, candidates, world.node, actual, nowMs))
  const { standings, halts, disk } = underDisk(timed, actual, world.settings, nowMs)
  const outlooks = new Map([...rejected.map(outlookOfRejection), ...standings.map(outlookOf)].map(outlook => [outlook.key, outlook]))
  const surroundings = surroundingsOf(outlooks, candidates)
  const wishes = world.complete ? wishesOf(standings) : cautiousWishes(wishesOf(standings), actual, surroundings)
  const desire = desiredTaps({ wishes, taps: actual.taps, settings: world.settings, disk })
  const captures = new Map([...outlooks].map(([key, outlook]) => [key, withRefusals(outlook, desire)]))
  const { actions, wakeAtMs } = plan({
    desired: desire.specs,
    actual: actual.taps,
    forgets: world.complete ? forgotten(actual.captures, surroundings.outlookOf) : [],
    reasonOf: tap => whyUndesired(tap, surroundingsOf(captures, candidates)),
    nowMs,
  })
  const expiries = world.complete ? expiriesOf(standings, actual) : []
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
function sift(read: Asked['read'], filterErrors: Actual['filterErrors']): { accepted: Intent[]; rejected: Rejection[] } {
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

function stand(intent: Intent, candidates: Candidates, node: string, actual: Actual, nowMs: number): Standing {
  const known = actual.captures.get(intent.key)
  const facts = known?.uid === intent.capture.uid ? known : undefined
  const { phase, wakeAtMs } = phaseOn({ intent, node, facts, nowMs })
  const { window, lookAtMs } = wantedAt(intent.window, phase, nowMs)
  return { intent, facts, matches: matchEndpoints(intent, candidates, node), phase, window, wakeAtMs: Math.min(wakeAtMs, lookAtMs) }
}

type UnderDisk = { readonly standings: readonly Standing[]; readonly halts: Decision['halts']; readonly disk: Omit<DiskInput, 'nowMs'> }

/** Halts captures, or lets them go on, as the disk demands. */
function underDisk(timed: readonly Standing[], actual: Actual, settings: World['settings'], nowMs: number): UnderDisk {
  const open = countOpen(actual.taps)
  const users = timed.filter(wantsTaps).map(standing => diskUserOf(standing, open.get(standing.intent.key) ?? 0))
  const changed = changeHalts({ users, disk: actual.disk, settings, nowMs })
  const haltNow = (standing: Standing): Halt | undefined =>
    changed.has(standing.intent.key) ? changed.get(standing.intent.key) : haltOf(standing)
  const standings = timed.map(standing => withHalt(standing, haltNow(standing)))
  const running = new Set(standings.filter(wantsTaps).map(({ intent }) => intent.key))
  const left = users.filter(({ key }) => running.has(key)).map(({ halt: _, ...user }) => user)
  return { standings, halts: new Map([...staleHalts(timed), ...changed]), disk: { users: left, disk: actual.disk, settings } }
}

function surroundingsOf(outlooks: ReadonlyMap<string, CaptureOutlook>, candidates: Candidates): Surroundings {
  return {
    outlookOf: key => outlooks.get(key),
    endpointOf: (namespace, name) =>
      candidates.get(namespace)?.find(({ endpoint }) => endpoint.name === name || `${namespace}.${endpoint.name}` === name)?.endpoint,
  }
}

/** The world is not complete: what is open stays, and nothing opens where an earlier capture of that name still has its files. */
function cautiousWishes(wishes: readonly Wish[], actual: Actual, surroundings: Surroundings): Wish[] {
  const kept = withheld(actual.taps, wishes, surroundings)
  const keptIds = new Set(kept.map(({ spec }) => spec.id))
  const isFree = ({ capture, captureKey, id }: Wish['spec']) =>
    !keptIds.has(id) && (actual.captures.get(captureKey)?.uid ?? capture.uid) === capture.uid
  return [...kept, ...wishes.filter(({ spec }) => isFree(spec))]
}

function withRefusals(outlook: CaptureOutlook, { refused }: Desire): CaptureOutlook {
  const entries = outlook.matches.matched.flatMap(({ name }) => {
    const refusal = refused.get(tapId(outlook.key, name))
    return refusal ? [[name, refusal] as const] : []
  })
  return { ...outlook, refused: new Map(entries) }
}

/** Captures that are over on this node, held packets or could have, and want an artifact that is not made yet. */
function unfinished(standings: readonly Standing[], { taps }: Actual): ArtifactJob[] {
  const open = countOpen(taps)
  return standings.flatMap(({ intent: { key, capture, artifact }, phase, facts }) =>
    artifact && phase.kind === 'Finished' && facts && isWanting(facts) && !open.has(key) ? [{ key, capture, artifact, facts }] : [],
  )
}

/** What is over is printed to its end by whoever finishes it. */
function followed(standings: readonly Standing[], { taps }: Actual): Followed[] {
  const open = countOpen(taps)
  return standings.flatMap(({ intent: { key, capture, artifact }, phase, facts }) => {
    const isPrinted = artifact?.kind === 'SingleFile' && artifact.form === 'stdout' && facts?.made === undefined
    return isPrinted && (phase.kind !== 'Finished' || open.has(key)) ? [{ key, capture }] : []
  })
}

function isWanting({ made }: CaptureFacts): boolean {
  return made === undefined || retryAtMs(made) !== undefined
}

function retryTime({ facts: { made } }: ArtifactJob): number | undefined {
  return made && retryAtMs(made)
}

/** Finished captures without an open tap, and when their ttl ends. */
function expiriesOf(standings: readonly Standing[], { taps }: Actual): { key: string; atMs: number }[] {
  const open = countOpen(taps)
  const finished = standings.filter(({ intent, phase }) => phase.kind === 'Finished' && !open.has(intent.key))
  return finished.map(({ intent, phase, facts }) => ({ key: intent.key, atMs: expiresAt(intent, phase, facts) }))
}

function dueOf(expiries: readonly { readonly key: string; readonly atMs: number }[], nowMs: number): string[] {
  return expiries.filter(({ atMs }) => atMs <= nowMs).map(({ key }) => key)
}
