// The controller's writes to the API server, one request each: a status, metadata, results, an
// Event, a removal of a capture or report. In: an object and the version that the write was decided
// upon. Out: whether it was written. A write is conditional on that version, so it touches neither
// a newer object nor a namesake, and none is sent after the lease has expired.
import type { Results } from '../api/reconcilerTypes.ts'
import { type ApiAnswer, applyBody, call } from '../kube/client.ts'
import type { Kube, KubeRequest } from '../kube/request.ts'
import { objectPath, reportPath } from '../kube/resources.ts'
import type { Labels } from '../model/labels.ts'
import { accounts } from '../model/wellKnown.ts'
import type { CaptureDocument } from '../model/world.ts'
import type { Logger } from '../runtime/log.ts'
import type { Leadership } from './leaderElection.ts'

export type ApiWriterDeps = {
  readonly kube: Kube
  readonly group: string
  readonly log: Logger
  readonly term: Leadership
}

const apiTimeoutMs = 15_000

/** `stale`: the object has changed since it was observed; the watch will show its new version. */
export type WriteResult =
  | { readonly kind: 'written'; readonly version: string }
  | { readonly kind: 'stale' }
  | { readonly kind: 'failed' }

/** Conditional on resourceVersion, so a controller that was paused cannot overwrite newer state. */
export function writeStatus(
  deps: ApiWriterDeps,
  capture: CaptureDocument,
  status: object,
  version: string,
): Promise<WriteResult> {
  const path = `${pathOf(deps, capture)}/status`
  return write(
    deps,
    'status not written',
    path,
    [{ op: 'add', path: '/status', value: status }],
    version,
  )
}

/**
 * `finalizers` keep a deleted capture until its nodes are done with it; `annotations` hold the
 * pass. undefined: no change.
 */
type Metadata = {
  readonly finalizers: readonly string[] | undefined
  readonly annotations: Labels | undefined
}

export function writeMetadata(
  deps: ApiWriterDeps,
  capture: CaptureDocument,
  metadata: Metadata,
  version: string,
): Promise<WriteResult> {
  const changes = Object.entries(metadata).flatMap(([name, value]) =>
    value === undefined ? [] : [{ op: 'add', path: `/metadata/${name}`, value }],
  )
  return write(deps, 'metadata not written', pathOf(deps, capture), changes, version)
}

async function write(
  deps: ApiWriterDeps,
  failed: string,
  path: string,
  changes: readonly object[],
  version: string,
): Promise<WriteResult> {
  const answer = await request(deps, failed, [404, 409], {
    path,
    method: 'PATCH',
    query: { fieldManager: accounts.controller },
    headers: { 'content-type': 'application/json-patch+json' },
    body: JSON.stringify([
      { op: 'replace', path: '/metadata/resourceVersion', value: version },
      ...changes,
    ]),
  })
  if (answer === undefined) return { kind: 'failed' }
  return answer.ok
    ? { kind: 'written', version: answer.body.metadata.resourceVersion }
    : { kind: 'stale' }
}

function pathOf({ group }: ApiWriterDeps, { kind, metadata }: CaptureDocument): string {
  return objectPath(kind, group, metadata)
}

/** False: the write failed and is retried. */
export async function writeResults(
  deps: ApiWriterDeps,
  namespace: string,
  results: Results,
): Promise<boolean> {
  const body = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    ...results,
    metadata: { ...results.metadata, namespace },
  }
  const answer = await request(deps, 'results not written', [], {
    path: `/api/v1/namespaces/${namespace}/configmaps/${results.metadata.name}`,
    method: 'PATCH',
    query: { fieldManager: accounts.controller, force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: applyBody(body),
  })
  return answer !== undefined
}

/**
 * False: the API server did not take it. An Event of that name that exists already counts as
 * written.
 */
export async function writeEvent(
  deps: ApiWriterDeps,
  event: Omit<KubeRequest, 'signal'>,
): Promise<boolean> {
  return (await request(deps, 'event not written', [409], event)) !== undefined
}

type Removed = { readonly name: string; readonly uid: string; readonly resourceVersion: string }

/** Does nothing if the capture was edited meanwhile: its ttl may not be over then. */
export function removeCapture(
  deps: ApiWriterDeps,
  capture: CaptureDocument,
  resourceVersion: string,
): Promise<boolean> {
  return remove(deps, pathOf(deps, capture), { ...capture.metadata, resourceVersion })
}

/** Does nothing if the report was written meanwhile: the node may be back. */
export function removeReport(deps: ApiWriterDeps, metadata: Removed): Promise<boolean> {
  return remove(deps, `${reportPath}/${metadata.name}`, metadata)
}

async function remove(
  deps: ApiWriterDeps,
  path: string,
  { uid, resourceVersion }: Removed,
): Promise<boolean> {
  const body = JSON.stringify({
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    preconditions: { uid, resourceVersion },
  })
  const headers = { 'content-type': 'application/json' }
  return (
    (await request(deps, 'not removed', [404, 409], { path, method: 'DELETE', headers, body })) !==
    undefined
  )
}

type WrittenObject = { readonly metadata: { readonly resourceVersion: string } }

/**
 * `settled`: status codes after which nothing is left to do. undefined: the request failed and is
 * retried.
 */
async function request(
  { kube, log, term }: ApiWriterDeps,
  failed: string,
  settled: readonly number[],
  request: Omit<KubeRequest, 'signal'>,
): Promise<ApiAnswer<WrittenObject> | undefined> {
  const { signal } = term
  try {
    const mayBeSent = () => !signal.aborted && performance.now() < term.heldUntilMs() // another controller may lead now
    if (!mayBeSent()) return undefined
    const answer = await call<WrittenObject>(kube, request, {
      signal,
      mayBeSent,
      timeoutMs: apiTimeoutMs,
    })
    if (answer.ok || settled.includes(answer.status)) return answer
    log.warn({ path: request.path, status: answer.status, said: answer.message }, failed)
  } catch (error) {
    if (!signal.aborted) log.warn({ path: request.path, reason: (error as Error).message }, failed)
  }
  return undefined
}
