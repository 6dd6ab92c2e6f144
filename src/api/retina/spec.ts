// Reads a Capture of retina.sh: its spec becomes an intent, or a rejection in Retina's words and
// its order of checks. Pure; never throws.
import type { HostPlace } from '../../model/artifact.ts'
import { type Intent, type Rejection, snapLengthMax, type Window } from '../../model/capture.ts'
import { type CaptureRef, captureKey } from '../../model/captureRef.ts'
import type { Quota } from '../../model/quota.ts'
import type { Settings } from '../../model/settings.ts'
import type { ObjectMeta, OtherCapture, World } from '../../model/world.ts'
import { at, isGiven } from '../fields.ts'
import { readOutput } from '../output.ts'
import { readGoDuration } from './duration.ts'
import {
  addressExpression,
  allOf,
  type RetinaFilters,
  readUserFilter,
  systemExpression,
} from './filters.ts'
import { hostPlace } from './hostPath.ts'
import { passIn } from './passAnnotation.ts'
import { type CaptureSize, readSize } from './size.ts'
import { type CaptureTarget, readTarget } from './target.ts'
import { displayFlags } from './tcpdumpFlags.ts'

type ReadContext = Pick<World, 'settings' | 'nodeLabels' | 'namespaceLabels'>

/** What the schema allows; an older one may have allowed more. */
type Spec = {
  readonly captureConfiguration?: {
    readonly captureTarget?: CaptureTarget
    readonly filters?: RetinaFilters | null
    readonly tcpdumpFilter?: string | null
    readonly includeMetadata?: boolean
    readonly captureOption?: CaptureOption | null
  }
  readonly outputConfiguration?: OutputConfiguration
  readonly cleanUpAfterUpload?: boolean
}
type CaptureOption = CaptureSize &
  Readonly<Record<string, unknown>> & {
    readonly duration?: string | null
    readonly packetSize?: number | null
    readonly interfaces?: readonly string[] | null
    readonly pcapFilter?: string | null
    readonly sourceIPs?: readonly string[] | null
    readonly destinationIPs?: readonly string[] | null
  }
type OutputConfiguration = Readonly<Record<string, unknown>> & { readonly hostPath?: string | null }

// Nodes begin within this time of each other. A node that finds its first pod later ends with the
// others.
const beginMs = 30_000

export function parseRetinaCapture(
  document: OtherCapture,
  context: ReadContext,
): Intent | Rejection {
  const { namespace, name, uid, generation } = document.metadata
  const capture: CaptureRef = { api: document.kind, namespace, name, uid }
  const key = captureKey(capture)
  try {
    return { ok: true, capture, key, generation, ...readSpec(document, context) }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return { ok: false, capture, key, generation, message: error.message }
  }
}

function readSpec(
  { metadata, spec }: OtherCapture,
  context: ReadContext,
): Omit<Intent, 'ok' | 'capture' | 'key' | 'generation'> {
  const {
    captureConfiguration = {},
    outputConfiguration = {},
    cleanUpAfterUpload = false,
  } = spec as Spec
  const option = captureConfiguration.captureOption ?? {}
  const interfaces = (option.interfaces ?? []).map(name => name.trim()).filter(name => name !== '')
  const target = readTarget(captureConfiguration.captureTarget ?? {}, interfaces, {
    ...context,
    namespace: metadata.namespace,
  })
  if (!isGiven(option.duration) && !option.maxCaptureSize)
    throw new RangeError('Neither duration nor maxCaptureSize is set to stop the capture')
  const size = readSize(option, context.settings)
  const place = readPlace(outputConfiguration, context.settings.captureHostPathBaseDir)
  const output = readOutput(outputConfiguration, cleanUpAfterUpload, 'outputConfiguration')
  const { filter, notes } = readFilter(captureConfiguration)
  const durationMs = isGiven(option.duration)
    ? at('captureOption.duration', () => readGoDuration(option.duration as string))
    : undefined
  const createdAtMs = Date.parse(metadata.creationTimestamp) || 0
  const quota = readQuota(metadata, context.settings)
  const beginsAtMs = quota ? quota.pass?.sinceMs : createdAtMs
  const isOfPods =
    target.scope.kind === 'Namespaces' && !captureConfiguration.captureTarget?.nodeSelector
  return {
    createdAtMs,
    ...target,
    filter,
    window: windowOf(beginsAtMs, durationMs, metadata.deletionTimestamp),
    limits: { ...(durationMs !== undefined && { durationMs }), ...size.limits },
    rotation: size.rotation,
    snapLength: snapLengthOf(option.packetSize),
    payload: 'Full',
    format: 'pcap',
    vantage: isOfPods ? 'Auto' : 'HostVeth', // a node's own interface has only this side
    artifact: {
      kind: 'RetinaArchive',
      createdAtMs,
      ...(place && { place }),
      ...(isGiven(option.fileCount) && { fileCount: option.fileCount }),
      includeMetadata: captureConfiguration.includeMetadata !== false,
      display: displayFlags(option).display,
    },
    ...(quota && { quota }),
    ...(output && { output }),
    notes: [
      ...notes,
      ...size.notes,
      ...(isOfPods && interfaces.length > 0
        ? [
            `captureOption.interfaces (${interfaces.join(', ')}) are those of nodes; pods are captured on their own`,
          ]
        : []),
    ],
  }
}

/** A pass for more nodes than the limit was granted under another limit and is ignored. */
function readQuota(
  metadata: ObjectMeta,
  { captureJobNumLimit: nodesMax }: Settings,
): Quota | undefined {
  if (nodesMax === 0) return undefined
  const pass = passIn(metadata)
  return { nodesMax, ...(pass && pass.nodes.length <= nodesMax && { pass }) }
}

/** `beginsAtMs` undefined: no node has a pass yet, so its duration does not run. */
function windowOf(
  beginsAtMs: number | undefined,
  durationMs: number | undefined,
  deletionTimestamp: string | undefined,
): Window {
  const ends = [
    ...(durationMs === undefined || beginsAtMs === undefined
      ? []
      : [beginsAtMs + beginMs + durationMs]),
    ...(deletionTimestamp === undefined ? [] : [Date.parse(deletionTimestamp) || 0]), // known for as long as archives are made and sent
  ]
  return ends.length === 0 ? {} : { endMs: Math.min(...ends) }
}

/** Where the archive is stored on the node; undefined: it is only uploaded. */
function readPlace(
  { hostPath, persistentVolumeClaim, blobUpload, s3Upload }: OutputConfiguration,
  base: string,
): HostPlace | undefined {
  if (![hostPath, persistentVolumeClaim, blobUpload, s3Upload].some(isGiven))
    throw new RangeError('At least one output configuration should be set')
  if (!isGiven(hostPath)) return undefined
  return at('invalid OutputConfiguration.HostPath', () => hostPlace(hostPath, base))
}

function readFilter({
  filters,
  tcpdumpFilter,
  captureOption,
}: NonNullable<Spec['captureConfiguration']>): {
  readonly filter: string
  readonly notes: readonly string[]
} {
  const { pcapFilter, sourceIPs, destinationIPs } = captureOption ?? {}
  const [pcap, deprecated] = [pcapFilter ?? '', tcpdumpFilter ?? '']
  const addresses = addressLists(sourceIPs ?? [], destinationIPs ?? [], deprecated)
  const system = systemExpression(filters ?? {})
  const given = pcap === '' ? deprecated : pcap
  const user =
    given === ''
      ? ''
      : at(pcap === '' ? 'tcpdumpFilter' : 'pcapFilter', () => readUserFilter(given))
  const ignored = pcap === '' ? '' : ', and is not looked at where pcapFilter is given'
  const notes =
    deprecated === '' ? [] : [`tcpdumpFilter is deprecated, use captureOption.pcapFilter${ignored}`]
  return { filter: allOf(allOf(user, addresses), system), notes }
}

function addressLists(
  sourceIPs: readonly string[],
  destinationIPs: readonly string[],
  tcpdumpFilter: string,
): string {
  if (tcpdumpFilter !== '' && sourceIPs.length + destinationIPs.length > 0)
    throw new RangeError(
      'tcpdumpFilter (deprecated) cannot be combined with sourceIPs/destinationIPs; use pcapFilter instead',
    )
  return addressExpression(sourceIPs, destinationIPs)
}

function snapLengthOf(packetSize: number | null | undefined): number {
  if (!isGiven(packetSize) || packetSize === 0) return snapLengthMax
  if (!Number.isSafeInteger(packetSize) || packetSize < 0)
    throw new RangeError(
      `captureOption.packetSize: found ${packetSize}, expected a whole number of at least 1, or 0 for all bytes`,
    )
  return Math.min(packetSize, snapLengthMax)
}
