// What a user asked for, in the engine's own words: one shape for every API that selcap serves.
// In: nothing, these are types. Made by src/intent; read by match, schedule, plan, status.

/** Identity of the resource that asked. Files belong to all four: a new uid under an old name starts afresh. */
export type CaptureRef = {
  readonly api: 'PacketCapture'
  readonly namespace: string
  readonly name: string
  readonly uid: string
}

/** When to capture, milliseconds since the epoch. `schedule` are recurring windows inside startMs…endMs. */
export type Window = {
  readonly startMs?: number
  readonly endMs?: number
  readonly schedule?: { readonly cron: string; readonly timeZone: string; readonly durationMs: number }
}

/** Per node and capture; reaching one finishes the capture on this node. Bytes are record bytes on disk (record headers included, file headers not). */
export type Limits = {
  readonly durationMs?: number
  readonly packets?: number
  readonly bytes?: number
}

/** Resolved: the capture's wishes, else the node's defaults, within the node's ceilings. `filesMax` counts rotated files; the active one is extra. */
export type Rotation = {
  readonly fileBytesMax: number
  readonly fileAgeMsMax: number
  readonly filesMax: number
}

export type Payload = 'Full' | 'Headers'
export type Format = 'pcap' | 'pcapng'
export type Vantage = 'HostVeth' | 'PodNetns'

/** One accepted capture. `matches` is the compiled selector; `filter` a pcap expression, '' for everything. */
export type Intent = {
  readonly ok: true
  readonly capture: CaptureRef
  readonly key: string // captureKey(capture)
  readonly generation: number
  readonly createdAtMs: number
  readonly selector: string // canonical
  readonly matches: (label: (name: string) => string | undefined) => boolean
  readonly filter: string
  readonly window: Window
  readonly limits: Limits
  readonly rotation: Rotation
  readonly snapLength: number
  readonly payload: Payload
  readonly format: Format
  readonly vantage: Vantage | 'Auto'
  readonly ttlMsAfterFinished?: number
  readonly notes: readonly string[] // what was clamped, for the message
}

/** One refused capture: it harms nobody else and becomes that capture's Error. */
export type Rejection = {
  readonly ok: false
  readonly capture: CaptureRef
  readonly key: string
  readonly generation: number
  readonly message: string
}

/** The key of a capture in every map, and its directory under captureDir. */
export function captureKey(capture: { readonly namespace: string; readonly name: string }): string {
  return `${capture.namespace}/${capture.name}`
}
