// What the controller changes in the cluster, each in one request: a status, an event, a capture whose ttl has passed, the report
// of a node that is gone. Every one names the object's identity, so that a namesake is never touched. False: not now, try again.
import type { Logger } from '../log.ts'
import type { PacketCapture } from '../model/world.ts'
import { reportPath } from '../publish/reportWriter.ts'
import type { PacketCaptureStatus } from '../status/types.ts'
import { type Kube, type KubeRequest, refusalOf } from '../world/kube.ts'

export type DeedParts = { readonly kube: Kube; readonly group: string; readonly log: Logger; readonly signal: AbortSignal }

const requestMs = 15_000

export async function writeStatus(parts: DeedParts, { metadata }: PacketCapture, status: PacketCaptureStatus): Promise<boolean> {
  const patch = [
    { op: 'test', path: '/metadata/uid', value: metadata.uid },
    { op: 'add', path: '/status', value: status },
  ]
  return ask(parts, 'status not written', [404, 422], {
    path: `${pathOf(parts.group, metadata)}/status`,
    method: 'PATCH',
    query: { fieldManager: 'selcap-controller' },
    headers: { 'content-type': 'application/json-patch+json' },
    body: JSON.stringify(patch),
  })
}

export async function tell(parts: DeedParts, namespace: string, event: object): Promise<boolean> {
  return ask(parts, 'event not written', [409], {
    path: `/api/v1/namespaces/${namespace}/events`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
  })
}

/** Not if it was edited meanwhile: it may not be over then. */
export async function removeCapture(
  parts: DeedParts,
  { metadata }: PacketCapture & { readonly metadata: { readonly resourceVersion: string } },
): Promise<boolean> {
  const { uid, resourceVersion } = metadata
  return remove(parts, pathOf(parts.group, metadata), { uid, resourceVersion })
}

export async function removeReport(parts: DeedParts, { name, uid }: { readonly name: string; readonly uid: string }): Promise<boolean> {
  return remove(parts, `${reportPath}/${name}`, { uid })
}

function remove(parts: DeedParts, path: string, preconditions: object): Promise<boolean> {
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions })
  return ask(parts, 'not removed', [404, 409], { path, method: 'DELETE', headers: { 'content-type': 'application/json' }, body })
}

function pathOf(group: string, { namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `/apis/${group}/v3/namespaces/${namespace}/packetcaptures/${name}`
}

/** `settled`: answers that say that nothing is left to do. */
async function ask(
  { kube, log, signal }: DeedParts,
  failed: string,
  settled: readonly number[],
  request: Omit<KubeRequest, 'signal'>,
): Promise<boolean> {
  try {
    const response = await kube({ ...request, signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]) })
    const said = await refusalOf(response)
    const { statusCode = 0 } = response
    if (statusCode < 300 || settled.includes(statusCode)) return true
    log.warn({ path: request.path, status: statusCode, said }, failed)
  } catch (error) {
    if (!signal.aborted) log.warn({ path: request.path, reason: (error as Error).message }, failed)
  }
  return false
}
