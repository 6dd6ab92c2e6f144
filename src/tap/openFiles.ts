// Opens the files of a tap. In: the capture's folder, the spec and the interface. Out: the
// rotation, which appends to the active file of an earlier tap if its records have the same filter
// and form.

import type { CaptureFolder } from '../files/captureFolder.ts'
import { activeName } from '../files/names.ts'
import { FileRotation } from '../files/rotation.ts'
import { endpointKey } from '../model/endpoint.ts'
import type { TapSpec } from '../model/tap.ts'
import type { InterfaceMatch } from '../netdev/interfaceResolver.ts'
import type { Clock } from '../runtime/clock.ts'

export type RotationSource = {
  readonly folder: CaptureFolder
  readonly clock: Clock
  readonly node: string
}

export async function openRotation(
  { folder, clock, node }: RotationSource,
  spec: TapSpec,
  { interfaceName, linkType }: Pick<InterfaceMatch, 'interfaceName' | 'linkType'>,
  packetsSinceMs?: number, // of a driver's tap that is open already
): Promise<FileRotation> {
  const { endpoint, capture, format, snapLength, payload, filter, rotation, window } = spec
  const name = { pod: endpoint.name, interfaceName, format }
  const ofLink = linkType === 'Ethernet' ? [] : [linkType] // files of earlier versions have none
  const settings = JSON.stringify([filter, snapLength, payload, format, ...ofLink])
  const continuation = await folder.continuation(endpointKey(endpoint), activeName(name), settings)
  const header = {
    format,
    snapLength,
    linkType,
    interfaceName,
    filter,
    node,
    endpoint: `${endpoint.namespace}/${endpoint.name}`,
    capture: `${capture.namespace}/${capture.name}`,
  }
  const nowMs = Math.max(clock.now(), window.fromMs ?? Number.NEGATIVE_INFINITY) // no packet is older
  return FileRotation.open({
    directory: folder.directory,
    queue: folder.queue,
    list: folder.list,
    name,
    header,
    settings,
    rotation,
    nowMs,
    packetsSinceMs: Math.min(nowMs, packetsSinceMs ?? nowMs),
    ...continuation,
  })
}
