// Evaluates one turn: reads the documents, then decides. Pure. In: the world, the node's actual
// state, the time. Out: a decision.

import { readCapture } from '../api/read.ts'
import { decideIntents } from '../core/decide.ts'
import { hostEndpoint, podToEndpoint, toEndpoint } from '../core/endpoint/endpoint.ts'
import type { ActualState } from '../model/actualState.ts'
import type { Intent, Rejection } from '../model/capture.ts'
import type { Decision } from '../model/decision.ts'
import type { World } from '../model/world.ts'

export type { Decision } from '../model/decision.ts'

export function evaluate(world: World, actual: ActualState, nowMs: number): Decision {
  const read = world.captures.map(capture => withVantage(world, readCapture(capture, world)))
  const pods = world.pods
    .map(pod => podToEndpoint(pod, world))
    .filter(endpoint => endpoint !== undefined)
  const hosts = world.hostInterfaces.map(name => hostEndpoint(name, world))
  const endpoints = [
    ...world.endpoints.map(document => toEndpoint(document, world)),
    ...pods,
    ...hosts,
  ]
  return decideIntents({ world, read, endpoints }, actual, nowMs)
}

/**
 * An eBPF data plane passes packets by the host's end of a veth, so Auto captures inside the pod
 * there.
 */
function withVantage({ hostVeth }: World, intent: Intent | Rejection): Intent | Rejection {
  return intent.ok && intent.vantage === 'Auto' && hostVeth === 'OneSided'
    ? { ...intent, vantage: 'PodNetns' }
    : intent
}
