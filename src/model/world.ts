// A snapshot of everything outside the node's engine: resources and settings, read once at the
// start of a turn. Made by src/source from manifests or from a cluster; read by
// src/engine/evaluate.ts.
import type { Api } from './captureRef.ts'
import type { Labels } from './labels.ts'
import type { PacketCaptureSpec } from './packetCaptureSpec.ts'
import type { Pod } from './pod.ts'
import type { Settings } from './settings.ts'

export type ObjectMeta = {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly generation: number
  readonly creationTimestamp: string // RFC 3339
  readonly labels?: Labels
  readonly annotations?: Labels
  readonly finalizers?: readonly string[]
  readonly deletionTimestamp?: string // RFC 3339; the resource is gone, or a finalizer of others keeps it
}

/** A PacketCapture as crds/packetcapture.yaml describes it, defaults not yet applied. */
export type PacketCapture = {
  readonly apiVersion: string
  readonly kind: 'PacketCapture'
  readonly metadata: ObjectMeta
  readonly spec: PacketCaptureSpec
}

/** A capture of another API, as its CRD describes it: src/api reads its spec. */
export type OtherCapture = {
  readonly apiVersion: string
  readonly kind: Exclude<Api, 'PacketCapture'>
  readonly metadata: ObjectMeta
  readonly spec: Readonly<Record<string, unknown>>
}

export type CaptureDocument = PacketCapture | OtherCapture

export type WorkloadEndpoint = {
  readonly apiVersion: string
  readonly kind: 'WorkloadEndpoint'
  readonly metadata: Omit<ObjectMeta, 'generation' | 'creationTimestamp'>
  readonly spec: {
    readonly node?: string
    readonly orchestrator?: string
    readonly pod?: string
    readonly endpoint?: string
    readonly interfaceName?: string
    readonly ipNetworks?: readonly string[]
    readonly serviceAccountName?: string
  }
}

export type World = {
  readonly node: string
  readonly settings: Settings
  readonly captures: readonly CaptureDocument[]
  readonly endpoints: readonly WorkloadEndpoint[]
  readonly pods: readonly Pod[] // of this node
  readonly nodeLabels: Labels // of this node
  readonly hostInterfaces: readonly string[] // of this node's own network namespace; empty if no served API captures the host
  readonly namespaceLabels: ReadonlyMap<string, Labels> // by namespace name
  readonly serviceAccountLabels: ReadonlyMap<string, Labels> // by namespace/name
  readonly hostVeth: 'TwoSided' | 'OneSided' // OneSided: an eBPF data plane bypasses the host's end, so Auto captures inside the pod
  readonly isSynced: boolean // false until the first complete lists: no tap is closed and no file removed before
  readonly isComplete?: boolean // false: a document that was never read may describe what is missing, so no file is removed
}
