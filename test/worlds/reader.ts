// Reads the documents of a world as far as these tests need it.
import type { Decision } from '../../src/decide.ts'
import { decideRead } from '../../src/decideRead.ts'
import { captureKey, type Intent, type Rejection } from '../../src/model/capture.ts'
import type { Endpoint } from '../../src/model/endpoint.ts'
import type { Actual } from '../../src/model/facts.ts'
import type { Settings } from '../../src/model/settings.ts'
import type { PacketCapture, WorkloadEndpoint, World } from '../../src/model/world.ts'

export function decide(world: World, actual: Actual, nowMs: number): Decision {
  const read = world.captures.map(capture => toIntent(capture, world.settings))
  return decideRead({ world, read, endpoints: world.endpoints.map(readEndpoint) }, actual, nowMs)
}

export function toIntent({ metadata, spec }: PacketCapture, settings: Settings): Intent | Rejection {
  const { namespace, name, uid, generation } = metadata
  const identity = { capture: { api: 'PacketCapture', namespace, name, uid }, key: captureKey(metadata), generation } as const
  const { selector = 'all()', startTime, endTime, schedule, limits, expression = '' } = spec
  const [, label, value] = /^(\w+) == "(\w+)"$/.exec(selector) ?? []
  if (label === undefined && selector !== 'all()') return { ok: false, ...identity, message: `Cannot read selector "${selector}"` }
  return {
    ok: true,
    ...identity,
    createdAtMs: Date.parse(metadata.creationTimestamp),
    selector,
    matches: lookup => label === undefined || lookup(label) === value,
    filter: expression,
    window: {
      ...(startTime !== undefined && { startMs: Date.parse(startTime) }),
      ...(endTime !== undefined && { endMs: Date.parse(endTime) }),
      ...(schedule && {
        schedule: { cron: schedule.cron, timeZone: schedule.timeZone ?? 'UTC', durationMs: schedule.durationSeconds * 1_000 },
      }),
    },
    limits: {
      ...(limits?.durationSeconds !== undefined && { durationMs: limits.durationSeconds * 1_000 }),
      ...(limits?.packets !== undefined && { packets: limits.packets }),
      ...(limits?.bytes !== undefined && { bytes: limits.bytes }),
    },
    rotation: {
      fileBytesMax: spec.rotation?.maxSizeBytes ?? settings.captureMaxSizeBytes,
      fileAgeMsMax: 1_000 * (spec.rotation?.seconds ?? settings.captureRotationSeconds),
      filesMax: spec.rotation?.maxFiles ?? settings.captureMaxFiles,
    },
    snapLength: spec.snapLength ?? 262_144,
    payload: spec.payload ?? 'Full',
    format: spec.format ?? 'pcap',
    vantage: spec.vantage ?? 'Auto',
    ...(spec.ttlSecondsAfterFinished !== undefined && { ttlMsAfterFinished: spec.ttlSecondsAfterFinished * 1_000 }),
    notes: [],
  }
}

export function readEndpoint({ metadata, spec }: WorkloadEndpoint): Endpoint {
  return {
    namespace: metadata.namespace,
    name: spec.pod ?? metadata.name,
    uid: metadata.uid,
    node: spec.node ?? '',
    interfaceName: spec.interfaceName,
    addresses: (spec.ipNetworks ?? []).map(network => network.replace(/\/.*/, '')),
    labels: new Map(Object.entries(metadata.labels ?? {})),
    live: metadata.annotations?.finished === undefined,
    hostNetwork: metadata.annotations?.hostNetwork !== undefined,
  }
}
