// decide() on the documents of a world, and the readers it uses. A WorkloadEndpoint document cannot
// say that its pod has finished or is host-networked, as a pod in a cluster can: here an annotation
// does, so that such worlds can be written down too.

import { parsePacketCapture } from '../../../src/api/packetcapture/spec.ts'
import { readCapture } from '../../../src/api/read.ts'
import { decideIntents } from '../../../src/core/decide.ts'
import { toEndpoint } from '../../../src/core/endpoint/endpoint.ts'
import { type Decision, evaluate as decideDocuments } from '../../../src/engine/evaluate.ts'
import type { ActualState } from '../../../src/model/actualState.ts'
import type { Intent } from '../../../src/model/capture.ts'
import type { Endpoint } from '../../../src/model/endpoint.ts'
import type { PacketCapture, WorkloadEndpoint, World } from '../../../src/model/world.ts'
import { world as worldOf } from './documents.ts'

export function decide(world: World, actual: ActualState, nowMs: number): Decision {
  if (world.endpoints.every(({ metadata }) => metadata.annotations === undefined))
    return decideDocuments(world, actual, nowMs)
  const read = world.captures.map(capture => readCapture(capture, world))
  return decideIntents(
    { world, read, endpoints: world.endpoints.map(document => readEndpoint(document, world)) },
    actual,
    nowMs,
  )
}

export function readEndpoint(document: WorkloadEndpoint, world: World = worldOf([], [])): Endpoint {
  const { annotations = {} } = document.metadata
  return {
    ...toEndpoint(document, world),
    live: annotations.finished === undefined,
    hostNetwork: annotations.hostNetwork !== undefined,
  }
}

/** Throws on a rejection. */
export function readIntent(capture: PacketCapture): Intent {
  const read = parsePacketCapture(capture, worldOf([], []).settings)
  if (!read.ok) throw new Error(read.message)
  return read
}
