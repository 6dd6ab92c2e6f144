// What the controller changes in the cluster, each in one request: a status, an event, a capture whose ttl has passed, the report
// of a node that is gone. Every one names the version of the object that it was decided upon, so that neither a namesake nor
// anything that has changed since is touched; and none is sent once the lease has run out.
import { text } from 'node:stream/consumers'
import type { Results } from '../api/packetcaptureconfig/results.ts'
import { eventRequest } from '../kube/event.ts'
import { type Kube, type KubeRequest, refusalOf } from '../kube/request.ts'
import { objectPath } from '../kube/resources.ts'
import type { CaptureDocument, Labels } from '../model/world.ts'
import { reportPath } from '../publish/reportWriter.ts'
import type { Logger } from '../runtime/log.ts'
import type { Term } from './leaderElection.ts'

export type DeedParts = { readonly kube: Kube; readonly group: string; readonly log: Logger; readonly term: Term }

const requestMs = 15_000

/** `stale`: the object is not the one that was looked at any more; what it is now is on its way. */
export type Outcome = { readonly kind: 'written'; readonly version: string } | { readonly kind: 'stale' } | { readonly kind: 'failed' }

/** Over that version only: a controller that was paused, and knows not what happened since, changes nothing. */
export function writeStatus(parts: DeedParts, capture: CaptureDocument, status: object, version: string): Promise<Outcome> {
  const path = `${pathOf(parts, capture)}/status`
  return write(parts, 'status not written', path, [{ op: 'add', path: '/status', value: status }], version)
}

/** `finalizers` hold a deleted capture until its nodes are done with it, `annotations` let nodes through; undefined: what they are. */
type Metadata = { readonly finalizers: readonly string[] | undefined; readonly annotations: Labels | undefined }

export function writeMetadata(parts: DeedParts, capture: CaptureDocument, metadata: Metadata, version: string): Promise<Outcome> {
  const changes = Object.entries(metadata).flatMap(([name, value]) =>
    value === undefined ? [] : [{ op: 'add', path: `/metadata/${name}`, value }],
  )
  return write(parts, 'metadata not written', pathOf(parts, capture), changes, version)
}

async function write(parts: DeedParts, failed: string, path: string, changes: readonly object[], version: string): Promise<Outcome> {
  const answer = await ask(parts, failed, [404, 409], {
    path,
    method: 'PATCH',
    query: { fieldManager: 'selcap-controller' },
    headers: { 'content-type': 'application/json-patch+json' },
    body: JSON.stringify([{ op: 'replace', path: '/metadata/resourceVersion', value: version }, ...changes]),
  })
  if (answer === undefined) return { kind: 'failed' }
  return answer.statusCode === 200 ? { kind: 'written', version: versionIn(answer.said) } : { kind: 'stale' }
}

function pathOf({ group }: DeedParts, { kind, metadata }: CaptureDocument): string {
  return objectPath(kind, group, metadata)
}

function versionIn(said: string): string {
  return (JSON.parse(said) as { readonly metadata: { readonly resourceVersion: string } }).metadata.resourceVersion
}

/** False: not now, try again. */
export async function writeResults(parts: DeedParts, namespace: string, results: Results): Promise<boolean> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', ...results, metadata: { ...results.metadata, namespace } }
  const answer = await ask(parts, 'results not written', [], {
    path: `/api/v1/namespaces/${namespace}/configmaps/${results.metadata.name}`,
    method: 'PATCH',
    query: { fieldManager: 'selcap-controller', force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify(body), // JSON is YAML
  })
  return answer !== undefined
}

/** False: it was not taken. */
export async function tell(parts: DeedParts, namespace: string, event: object): Promise<boolean> {
  return (await ask(parts, 'event not written', [409], eventRequest(namespace, event))) !== undefined
}

type Removed = { readonly name: string; readonly uid: string; readonly resourceVersion: string }

/** Not if it was edited meanwhile: it may not be over then. */
export function removeCapture(parts: DeedParts, capture: CaptureDocument, resourceVersion: string): Promise<boolean> {
  return remove(parts, pathOf(parts, capture), { ...capture.metadata, resourceVersion })
}

/** Not if it was written meanwhile: the node may be back. */
export function removeReport(parts: DeedParts, metadata: Removed): Promise<boolean> {
  return remove(parts, `${reportPath}/${metadata.name}`, metadata)
}

async function remove(parts: DeedParts, path: string, { uid, resourceVersion }: Removed): Promise<boolean> {
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } })
  const headers = { 'content-type': 'application/json' }
  return (await ask(parts, 'not removed', [404, 409], { path, method: 'DELETE', headers, body })) !== undefined
}

type Answer = { readonly statusCode: number; readonly said: string }

/** `settled`: answers that say that nothing is left to do. undefined: not now, try again. */
async function ask(
  { kube, log, term }: DeedParts,
  failed: string,
  settled: readonly number[],
  request: Omit<KubeRequest, 'signal'>,
): Promise<Answer | undefined> {
  const { signal } = term
  try {
    const mayBeSent = () => !signal.aborted && performance.now() < term.heldUntilMs() // another may be at work
    if (!mayBeSent()) return undefined
    const response = await kube({ ...request, mayBeSent, signal: AbortSignal.any([signal, AbortSignal.timeout(requestMs)]) })
    const { statusCode = 0 } = response
    if (statusCode < 300) return { statusCode, said: await text(response) }
    const said = await refusalOf(response)
    if (settled.includes(statusCode)) return { statusCode, said }
    log.warn({ path: request.path, status: statusCode, said }, failed)
  } catch (error) {
    if (!signal.aborted) log.warn({ path: request.path, reason: (error as Error).message }, failed)
  }
  return undefined
}
