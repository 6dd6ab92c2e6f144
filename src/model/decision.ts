// The decision of one turn, as plain data: the actions, when the next turn is due, and the phase of
// each capture. Made by src/engine/evaluate.ts; applied by the engine, logged by
// src/engine/turnLog.ts, reported by src/core/status.

import type { ActualCapture, Halt } from './actualState.ts'
import type { Artifact } from './artifact.ts'
import type { FilterSpec } from './capture.ts'
import type { CaptureRef } from './captureRef.ts'
import type { ProblemReason } from './codes.ts'
import type { Endpoint } from './endpoint.ts'
import type { Action } from './tap.ts'

/** Why a matching endpoint gets no tap although its capture is open. */
export type Refusal = {
  readonly reason: Extract<
    ProblemReason,
    'EndpointsMax' | 'RingBudget' | 'DiskBudget' | 'DiskFloor'
  >
  readonly message: string
}

/** The phase of a capture on this node, apart from its taps. */
export type Phase =
  | { readonly kind: 'Rejected'; readonly message: string }
  | { readonly kind: 'Scheduled'; readonly opensAtMs: number; readonly isPreparing: boolean } // before its window, or between two
  | { readonly kind: 'Held'; readonly message: string } // its window is open, and this node has no pass
  | { readonly kind: 'Open'; readonly closesAtMs: number } // Infinity: it never closes
  | {
      readonly kind: 'Finished'
      readonly cause: 'window' | 'limit'
      readonly atMs: number
      readonly message: string
    }
  | { readonly kind: 'Halted'; readonly halt: Halt }

/** The endpoints that a capture matches on this node, and how many it does not. */
export type MatchCounts = {
  readonly matched: readonly Endpoint[] // by name
  readonly pods: readonly Endpoint[] // of which `matched` are the interfaces that are captured
  readonly inNamespace: number // candidates: live, on this node, not host-networked
  readonly elsewhere: number // match, on other nodes
  readonly hostNetwork: number // match on this node, but are host-networked
}

export type CaptureDecision = {
  readonly key: string
  readonly capture: CaptureRef
  readonly generation: number
  readonly filter: FilterSpec
  readonly notes: readonly string[]
  readonly phase: Phase
  readonly matches: MatchCounts
  readonly interfaces?: readonly string[] // as in Intent
  readonly refused: ReadonlyMap<string, Refusal> // by endpointKey()
}

/** An artifact to make now: the capture is over on this node, and its taps are closed. */
export type ArtifactJob = {
  readonly key: string
  readonly capture: CaptureRef
  readonly artifact: Artifact
  readonly facts: ActualCapture
}

/** A running capture whose packets are printed to the log. */
export type FollowedCapture = Pick<ArtifactJob, 'key' | 'capture'>

export type Decision = {
  readonly actions: readonly Action[] // in the order of execution: close, forget, adjust, open
  readonly wakeAtMs: number // always after now; Infinity: no turn is due without a change
  readonly captures: ReadonlyMap<string, CaptureDecision> // by capture key, every capture of the world
  readonly halts: ReadonlyMap<string, Halt | undefined> // to store as ActualCapture.halt; undefined: remove it
  readonly lookAt: readonly Endpoint[] // pods whose interfaces must be known
  readonly finish: readonly ArtifactJob[] // captures that are over here and whose artifact is missing
  readonly follow: readonly FollowedCapture[] // running captures whose packets are to be printed
  readonly expire: readonly string[] // keys of captures whose ttl has passed on this node
}
