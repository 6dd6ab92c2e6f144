// One turn's thinking: world, what the node holds, and the time in; a decision out. Reads the documents, then decides.

import { readCapture } from '../api/read.ts'
import { decideIntents } from '../core/decide.ts'
import { hostEndpoint, podToEndpoint, toEndpoint } from '../core/endpoint/endpoint.ts'
import type { ActualState } from '../model/actualState.ts'
import type { Intent, Rejection } from '../model/capture.ts'
import type { Decision } from '../model/decision.ts'
import type { World } from '../model/world.ts'

export type { Decision } from '../model/decision.ts'

export function evaluate(world: World, actual: ActualState, nowMs: number): Decision {
  const read = world.captures.map(capture => worldSeenFrom(world, readCapture(capture, world)))
  const pods = world.pods.map(pod => podToEndpoint(pod, world)).filter(endpoint => endpoint !== undefined)
  const hosts = world.hostInterfaces.map(name => hostEndpoint(name, world))
  const endpoints = [...world.endpoints.map(document => toEndpoint(document, world)), ...pods, ...hosts]
  return decideIntents({ world, read, endpoints }, actual, nowMs)
}

function worldSeenFrom({ hostVeth }: World, intent: Intent | Rejection): Intent | Rejection {
  return intent.ok && intent.vantage === 'Auto' && hostVeth === 'OneSided' ? { ...intent, vantage: 'PodNetns' } : intent
}
