// Builders for the documents of a world: what a test does not name has a plain default.

import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import type { PacketCapture, WorkloadEndpoint, World } from '../../../src/model/world.ts'

export const node = 'node-0'
export const noonMs = Date.UTC(2026, 5, 1, 12)

type CaptureOptions = {
  readonly namespace?: string
  readonly uid?: string
  readonly generation?: number
  readonly createdAtMs?: number
}

export function capture(
  name: string,
  spec: PacketCaptureSpec = {},
  options: CaptureOptions = {},
): PacketCapture {
  const {
    namespace = 'default',
    uid = `uid-${name}`,
    generation = 1,
    createdAtMs = noonMs - 3_600_000,
  } = options
  const metadata = {
    name,
    namespace,
    uid,
    generation,
    creationTimestamp: new Date(createdAtMs).toISOString(),
  }
  return { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture', metadata, spec }
}

type EndpointOptions = {
  readonly namespace?: string
  readonly uid?: string
  readonly node?: string
  readonly interfaceName?: string
  readonly address?: string
}

export function endpoint(
  name: string,
  labels: Readonly<Record<string, string>> = {},
  options: EndpointOptions = {},
): WorkloadEndpoint {
  const {
    namespace = 'default',
    uid = `uid-${name}`,
    node: on = node,
    interfaceName = `cali${name}`,
    address = '10.0.0.1',
  } = options
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name: `${on}-k8s-${name}-eth0`, namespace, uid, labels },
    spec: {
      node: on,
      orchestrator: 'k8s',
      pod: name,
      endpoint: 'eth0',
      interfaceName,
      ipNetworks: [`${address}/32`],
    },
  }
}

export function world(
  captures: readonly PacketCapture[],
  endpoints: readonly WorkloadEndpoint[],
  options: Partial<World> = {},
): World {
  return {
    node,
    settings: defaultSettings,
    captures,
    endpoints,
    namespaceLabels: new Map(),
    serviceAccountLabels: new Map(),
    pods: [],
    nodeLabels: {},
    hostInterfaces: [],
    hostVeth: 'TwoSided',
    isSynced: true,
    ...options,
  }
}
