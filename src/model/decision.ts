// What one turn decided, as plain data: what to do, when to look again, and how each capture stands.
// Made by src/engine/evaluate.ts; applied by the engine, logged by src/engine/turnLog.ts, turned into a report by src/status.

import type { ActualCapture, Halt } from './actualState.ts'
import type { Artifact } from './artifact.ts'
import type { CaptureRef } from './captureRef.ts'
import type { ProblemReason } from './codes.ts'
import type { Endpoint } from './endpoint.ts'
import type { Action, FilterSpec } from './tap.ts'

/** Why a matching endpoint gets no tap although its capture is open. */
export type Refusal = {
  readonly reason: Extract<ProblemReason, 'EndpointsMax' | 'RingBudget' | 'DiskBudget' | 'DiskFloor'>
  readonly message: string
}

/** Where a capture stands in its life on this node, taps aside. */
export type Phase =
  | { readonly kind: 'Rejected'; readonly message: string }
  | { readonly kind: 'Scheduled'; readonly opensAtMs: number; readonly isPreparing: boolean } // before its window, or between two
  | { readonly kind: 'Held'; readonly message: string } // it could be open, and was not let through on this node
  | { readonly kind: 'Open'; readonly closesAtMs: number } // Infinity: for ever
  | { readonly kind: 'Finished'; readonly cause: 'window' | 'limit'; readonly atMs: number; readonly message: string }
  | { readonly kind: 'Halted'; readonly halt: Halt }

/** Whom a capture found on this node, and whom it did not. */
export type MatchCounts = {
  readonly matched: readonly Endpoint[] // by name
  readonly inNamespace: number // endpoints that could have matched: live, on this node, not host-networked
  readonly elsewhere: number // would match, on other nodes
  readonly hostNetwork: number // would match on this node, but are host-networked
}

export type CaptureDecision = {
  readonly key: string
  readonly capture: CaptureRef
  readonly generation: number
  readonly filter: FilterSpec
  readonly notes: readonly string[]
  readonly phase: Phase
  readonly matches: MatchCounts
  readonly refused: ReadonlyMap<string, Refusal> // by endpoint name
}

/** An artifact to make now: the capture is over on this node, and its taps are closed. */
export type ArtifactJob = {
  readonly key: string
  readonly capture: CaptureRef
  readonly artifact: Artifact
  readonly facts: ActualCapture
}

/** A capture whose packets are printed as they come. */
export type FollowedCapture = Pick<ArtifactJob, 'key' | 'capture'>

export type Decision = {
  readonly actions: readonly Action[] // in the order to be carried out: closes, forgets, adjusts, opens
  readonly wakeAtMs: number // always after now; Infinity: only when something happens
  readonly captures: ReadonlyMap<string, CaptureDecision> // by capture key, every capture of the world
  readonly halts: ReadonlyMap<string, Halt | undefined> // to be stored in CaptureFacts.halt; undefined: no longer holds, remove it
  readonly finish: readonly ArtifactJob[] // captures that are over here and want an artifact that is not made
  readonly follow: readonly FollowedCapture[] // captures that are under way here and want their packets printed
  readonly expire: readonly string[] // keys of captures whose ttl has passed on this node
}
