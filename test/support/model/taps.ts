// Builders of taps and of a capture's decision: what a test does not name has a plain default.
import { type DesiredTap, desiredTapFor } from '../../../src/core/plan/desiredTap.ts'
import type { CaptureDecision } from '../../../src/model/decision.ts'
import type { Endpoint } from '../../../src/model/endpoint.ts'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import type { ActualTap, TapSpec } from '../../../src/model/tap.ts'
import { capture, endpoint } from '../worlds/documents.ts'
import { readEndpoint, readIntent } from '../worlds/reader.ts'

export const endpointOf = (pod: string, change: Partial<Endpoint> = {}): Endpoint => ({
  ...readEndpoint(endpoint(pod)),
  ...change,
})

export function desiredTap(name: string, pod: string, spec: PacketCaptureSpec = {}): DesiredTap {
  return desiredTapFor(readIntent(capture(name, spec)), endpointOf(pod), {
    window: {},
    isEarly: false,
  })
}

/** The spec of a capture's tap on a pod. */
export function tapSpec(name: string, pod: string, change: Partial<TapSpec> = {}): TapSpec {
  return { ...desiredTap(name, pod).spec, ringBytes: 1_048_576, ...change }
}

export const openTap = (spec: TapSpec): ActualTap => ({ spec, state: 'open' })

export function tapsOf(...taps: readonly ActualTap[]): ReadonlyMap<string, ActualTap> {
  return new Map(taps.map(tap => [tap.spec.id, tap]))
}

/** The decision of an open capture that matches these pods. */
export function decisionOf(
  name: string,
  pods: readonly string[],
  change: Partial<CaptureDecision> = {},
): CaptureDecision {
  const { key, capture: ref, generation } = readIntent(capture(name))
  return {
    key,
    capture: ref,
    generation,
    filter: { filter: '' },
    notes: [],
    phase: { kind: 'Open', closesAtMs: Number.POSITIVE_INFINITY },
    matches: {
      matched: pods.map(pod => endpointOf(pod)),
      pods: pods.map(pod => endpointOf(pod)),
      inNamespace: pods.length,
      elsewhere: 0,
      hostNetwork: 0,
    },
    refused: new Map(),
    ...change,
  }
}
