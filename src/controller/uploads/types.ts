// What an upload run needs and what it reports as it goes: types only, shared by the worker and the
// PVC upload.
import type { Agents } from '../../agentapi/client/agents.ts'
import type { Kube } from '../../kube/request.ts'
import type { UploadStatus } from '../../model/status.ts'
import type { DestinationPolicy } from '../../store/destinationPolicy.ts'

export type UploadDeps = {
  readonly kube: Kube
  readonly agents: Agents
  readonly policy: () => DestinationPolicy
  readonly nowMs: () => number
  readonly group: string // of PacketCapture
  readonly claimImage?: string | undefined // image of the pods that write into PVCs; missing: PVC uploads are refused
}

/**
 * Progress of one capture's uploads in this process. `stored`: version tags of files that the
 * output was verified to hold.
 */
export type UploadProgress = {
  readonly stored: Set<string>
  readonly onDone: (node: string, upload: UploadStatus, isStored: boolean) => void
  readonly onFailure: (node: string, reason: string) => void
  readonly onMissingSecret: (name: string) => void
}

/** `waits`: a pod is still copying, so the upload is checked again soon. */
export type UploadOutcome = 'done' | 'waits'
