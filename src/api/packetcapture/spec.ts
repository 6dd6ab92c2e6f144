// Reads a PacketCapture: its spec becomes an intent, or a rejection with the reason. Pure; never
// throws: a spec that an older schema allowed becomes that capture's Error and affects no other
// capture.
import { parseSelector } from '../../../grammar/selector.ts'
import {
  type Intent,
  type Limits,
  type Rejection,
  type Rotation,
  rejectionOf,
  smallFile,
  snapLengthMax,
  type Window,
} from '../../model/capture.ts'
import { type CaptureRef, captureKey } from '../../model/captureRef.ts'
import type { Settings } from '../../model/settings.ts'
import type { PacketCapture } from '../../model/world.ts'
import { at, type Fields, fields, integer, isGiven, oneOf, show } from '../fields.ts'
import { readExpression } from '../filterExpression.ts'
import { readOutput } from '../output.ts'
import { filtersExpression } from './filters.ts'
import { readInterfaces } from './interfaces.ts'
import { readSchedule } from './schedule.ts'
import { readTime } from './time.ts'

export function parsePacketCapture(
  document: PacketCapture,
  settings: Settings,
): Intent | Rejection {
  const { namespace, name, uid, generation, creationTimestamp } = document.metadata
  const capture: CaptureRef = { api: document.kind, namespace, name, uid }
  const key = captureKey(capture)
  try {
    const createdAtMs = Date.parse(creationTimestamp) || 0
    const scope = { kind: 'Namespaces', names: [namespace] } as const
    return {
      ok: true,
      capture,
      key,
      generation,
      createdAtMs,
      scope,
      ...readSpec(fields(document.spec, 'spec'), settings),
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return rejectionOf({ capture, key, generation }, `Cannot capture: spec.${error.message}`)
  }
}

type SpecField = Omit<Intent, 'ok' | 'capture' | 'key' | 'generation' | 'createdAtMs' | 'scope'>

function readSpec(spec: Fields, settings: Settings): SpecField {
  const { rotation, notes } = readRotation(fields(spec.rotation, 'rotation'), settings)
  const { cleanUpAfterUpload, ...places } = fields(spec.output, 'output')
  const output = readOutput(places, cleanUpAfterUpload, 'output')
  const interfaces = readInterfaces(spec.interfaces)
  const ttlSeconds = integer(spec.ttlSecondsAfterFinished, 'ttlSecondsAfterFinished', 0)
  return {
    ...readSelector(spec.selector),
    filter: readFilter(spec),
    window: readWindow(spec),
    limits: readLimits(fields(spec.limits, 'limits')),
    rotation,
    snapLength: integer(spec.snapLength, 'snapLength', 1, snapLengthMax) ?? snapLengthMax,
    payload: oneOf(spec.payload, 'payload', ['Full', 'Headers'] as const),
    format: oneOf(spec.format, 'format', ['pcap', 'pcapng'] as const),
    vantage: oneOf(spec.vantage, 'vantage', ['Auto', 'HostVeth', 'PodNetns'] as const),
    ...(interfaces && { interfaces }),
    ...(output && { output }),
    ...(ttlSeconds !== undefined && { ttlMsAfterFinished: ttlSeconds * 1_000 }),
    notes,
  }
}

function readSelector(value: unknown): Pick<Intent, 'selector' | 'matches'> {
  if (value !== undefined && value !== null && typeof value !== 'string')
    throw new RangeError(`selector: found ${show(value)}, expected a selector`)
  const parsed = parseSelector(value ?? '')
  if (!parsed.ok) throw new RangeError(`selector: ${parsed.error.display}`)
  return { selector: parsed.selector.canonical, matches: parsed.selector.matches }
}

function readFilter({ filters, expression }: Fields): string {
  const rules = filtersExpression(filters)
  if (expression === undefined || expression === null) return rules
  if (typeof expression !== 'string')
    throw new RangeError(`expression: found ${show(expression)}, expected a pcap expression`)
  const read = at('expression', () => readExpression(expression))
  return rules === '' ? read : `(${rules}) and (${read})`
}

function readWindow({ startTime, endTime, schedule }: Fields): Window {
  const startMs = isGiven(startTime) ? at('startTime', () => readTime(startTime)) : undefined
  const endMs = isGiven(endTime) ? at('endTime', () => readTime(endTime)) : undefined
  if (startMs !== undefined && endMs !== undefined && endMs <= startMs)
    throw new RangeError(
      `endTime: found ${show(endTime)}, which is not after startTime ${show(startTime)}: endTime must be after startTime`,
    )
  return {
    ...(startMs !== undefined && { startMs }),
    ...(endMs !== undefined && { endMs }),
    ...readRecurrence(schedule),
  }
}

function readRecurrence(value: unknown): Pick<Window, 'schedule'> {
  if (!isGiven(value)) return {}
  const { cron, timeZone, durationSeconds } = fields(value, 'schedule')
  const seconds = integer(durationSeconds, 'schedule.durationSeconds', 1, 31_536_000)
  if (seconds === undefined)
    throw new RangeError(
      'schedule.durationSeconds: found nothing, expected how long each window is, in seconds',
    )
  return { schedule: at('schedule', () => readSchedule(cron, timeZone, seconds), '.') }
}

function readLimits(limits: Fields): Limits {
  const seconds = integer(limits.durationSeconds, 'limits.durationSeconds', 1, 3_153_600_000)
  const packets = integer(limits.packets, 'limits.packets', 1)
  const bytes = integer(limits.bytes, 'limits.bytes', 1)
  return {
    ...(seconds !== undefined && { durationMs: seconds * 1_000 }),
    ...(packets !== undefined && { packets }),
    ...(bytes !== undefined && { bytes }),
  }
}

// The node's disk budget is the ceiling: all files of one endpoint must fit in it.
function readRotation(
  rotationFields: Fields,
  settings: Settings,
): { rotation: Rotation; notes: string[] } {
  const bytes =
    integer(rotationFields.maxSizeBytes, 'rotation.maxSizeBytes', 1) ?? settings.captureMaxSizeBytes
  const seconds =
    integer(rotationFields.seconds, 'rotation.seconds', 1, 3_153_600_000) ??
    settings.captureRotationSeconds
  const files =
    integer(rotationFields.maxFiles, 'rotation.maxFiles', 1, 100_000) ?? settings.captureMaxFiles
  const filesMax = Math.min(files, Math.max(1, settings.captureDiskBytesMax - 1))
  const fileBytesMax = Math.max(
    1,
    Math.min(bytes, Math.floor(settings.captureDiskBytesMax / (filesMax + 1))),
  )
  const notes =
    fileBytesMax < bytes
      ? [
          `rotation.maxSizeBytes is ${fileBytesMax} here: ${files + 1} files of ${bytes} bytes are more than captureDiskBytesMax ${settings.captureDiskBytesMax}`,
        ]
      : []
  if (fileBytesMax < smallFile.bytes)
    notes.push(
      `files of ${fileBytesMax} bytes are rotated ${smallFile.atOnce} at once and then one each second, and grow up to ${smallFile.bytes} bytes in between`,
    )
  return { rotation: { fileBytesMax, fileAgeMsMax: seconds * 1_000, filesMax }, notes }
}
