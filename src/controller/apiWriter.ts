// What the controller changes in the cluster, each in one request: a status, an event, a capture whose ttl has passed, the report
// of a node that is gone. Every one names the version of the object that it was decided upon, so that neither a namesake nor
// anything that has changed since is touched; and none is sent once the lease has run out.
import { text } from 'node:stream/consumers'
import type { Results } from '../api/reconciliation.ts'
import { apiErrorMessage, type Kube, type KubeRequest } from '../kube/request.ts'
import { objectPath } from '../kube/resources.ts'
import type { Labels } from '../model/labels.ts'
import { accounts } from '../model/wellKnown.ts'
import type { CaptureDocument } from '../model/world.ts'
import { reportPath } from '../publish/reportWriter.ts'
import type { Logger } from '../runtime/log.ts'
import type { Leadership } from './leaderElection.ts'

export type ApiWriterDeps = { readonly kube: Kube; readonly group: string; readonly log: Logger; readonly term: Leadership }

const apiTimeoutMs = 15_000

/** `stale`: the object is not the one that was looked at any more; what it is now is on its way. */
export type WriteResult = { readonly kind: 'written'; readonly version: string } | { readonly kind: 'stale' } | { readonly kind: 'failed' }

/** Over that version only: a controller that was paused, and knows not what happened since, changes nothing. */
export function writeStatus(parts: ApiWriterDeps, capture: CaptureDocument, status: object, version: string): Promise<WriteResult> {
  const path = `${pathOf(parts, capture)}/status`
  return write(parts, 'status not written', path, [{ op: 'add', path: '/status', value: status }], version)
}

/** `finalizers` hold a deleted capture until its nodes are done with it, `annotations` let nodes through; undefined: what they are. */
type Metadata = { readonly finalizers: readonly string[] | undefined; readonly annotations: Labels | undefined }

export function writeMetadata(parts: ApiWriterDeps, capture: CaptureDocument, metadata: Metadata, version: string): Promise<WriteResult> {
  const changes = Object.entries(metadata).flatMap(([name, value]) =>
    value === undefined ? [] : [{ op: 'add', path: `/metadata/${name}`, value }],
  )
  return write(parts, 'metadata not written', pathOf(parts, capture), changes, version)
}

async function write(
  parts: ApiWriterDeps,
  failed: string,
  path: string,
  changes: readonly object[],
  version: string,
): Promise<WriteResult> {
  const answer = await request(parts, failed, [404, 409], {
    path,
    method: 'PATCH',
    query: { fieldManager: accounts.controller },
    headers: { 'content-type': 'application/json-patch+json' },
    body: JSON.stringify([{ op: 'replace', path: '/metadata/resourceVersion', value: version }, ...changes]),
  })
  if (answer === undefined) return { kind: 'failed' }
  return answer.statusCode === 200 ? { kind: 'written', version: versionIn(answer.said) } : { kind: 'stale' }
}

function pathOf({ group }: ApiWriterDeps, { kind, metadata }: CaptureDocument): string {
  return objectPath(kind, group, metadata)
}

function versionIn(said: string): string {
  return (JSON.parse(said) as { readonly metadata: { readonly resourceVersion: string } }).metadata.resourceVersion
}

/** False: not now, try again. */
export async function writeResults(parts: ApiWriterDeps, namespace: string, results: Results): Promise<boolean> {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', ...results, metadata: { ...results.metadata, namespace } }
  const answer = await request(parts, 'results not written', [], {
    path: `/api/v1/namespaces/${namespace}/configmaps/${results.metadata.name}`,
    method: 'PATCH',
    query: { fieldManager: accounts.controller, force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify(body), // JSON is YAML
  })
  return answer !== undefined
}

/** False: the API server did not take it. An Event of that name that exists already counts as written. */
export async function writeEvent(deps: ApiWriterDeps, event: Omit<KubeRequest, 'signal'>): Promise<boolean> {
  return (await request(deps, 'event not written', [409], event)) !== undefined
}

type Removed = { readonly name: string; readonly uid: string; readonly resourceVersion: string }

/** Not if it was edited meanwhile: it may not be over then. */
export function removeCapture(parts: ApiWriterDeps, capture: CaptureDocument, resourceVersion: string): Promise<boolean> {
  return remove(parts, pathOf(parts, capture), { ...capture.metadata, resourceVersion })
}

/** Not if it was written meanwhile: the node may be back. */
export function removeReport(parts: ApiWriterDeps, metadata: Removed): Promise<boolean> {
  return remove(parts, `${reportPath}/${metadata.name}`, metadata)
}

async function remove(parts: ApiWriterDeps, path: string, { uid, resourceVersion }: Removed): Promise<boolean> {
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } })
  const headers = { 'content-type': 'application/json' }
  return (await request(parts, 'not removed', [404, 409], { path, method: 'DELETE', headers, body })) !== undefined
}

type ApiAnswer = { readonly statusCode: number; readonly said: string }

/** `settled`: answers that say that nothing is left to do. undefined: not now, try again. */
async function request(
  { kube, log, term }: ApiWriterDeps,
  failed: string,
  settled: readonly number[],
  request: Omit<KubeRequest, 'signal'>,
): Promise<ApiAnswer | undefined> {
  const { signal } = term
  try {
    const mayBeSent = () => !signal.aborted && performance.now() < term.heldUntilMs() // another may be at work
    if (!mayBeSent()) return undefined
    const response = await kube({ ...request, mayBeSent, signal: AbortSignal.any([signal, AbortSignal.timeout(apiTimeoutMs)]) })
    const { statusCode = 0 } = response
    if (statusCode < 300) return { statusCode, said: await text(response) }
    const said = await apiErrorMessage(response)
    if (settled.includes(statusCode)) return { statusCode, said }
    log.warn({ path: request.path, status: statusCode, said }, failed)
  } catch (error) {
    if (!signal.aborted) log.warn({ path: request.path, reason: (error as Error).message }, failed)
  }
  return undefined
}
