// Typed requests to the API server. In: a path, a body, options. Out: the object, or the status
// and the server's reason: the caller knows which statuses it expects. Each request has a timeout.
// Throws only when the server cannot be reached or breaks off. Lists in pages are pagedList.ts's,
// watches are informer.ts's.
import type { IncomingMessage } from 'node:http'
import { ExpectedError } from '../model/errors.ts'
import { readBounded } from '../runtime/http.ts'
import { apiErrorMessage, type Kube, type KubeRequest, readJson } from './request.ts'

/** A refusal has no `body`; its `message` is the server's reason. */
export type ApiAnswer<T> =
  | { readonly ok: true; readonly status: number; readonly body: T }
  | { readonly ok: false; readonly status: number; readonly message: string }

export type CallOptions = Pick<KubeRequest, 'query' | 'mayBeSent'> & {
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  readonly bytesMax?: number // of an answer; a longer one is an error
}

export type Preconditions = { readonly uid: string; readonly resourceVersion?: string }

const defaultTimeoutMs = 10_000
const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
} as const

export function get<T>(kube: Kube, path: string, options: CallOptions = {}): Promise<ApiAnswer<T>> {
  return call(kube, { path }, options)
}

export function list<T>(
  kube: Kube,
  path: string,
  options: CallOptions = {},
): Promise<ApiAnswer<{ readonly items: readonly T[] }>> {
  return call(kube, { path }, options)
}

export function create<T>(
  kube: Kube,
  path: string,
  object: object,
  options: CallOptions = {},
): Promise<ApiAnswer<T>> {
  return call(kube, { path, method: 'POST', ...json(object) }, options)
}

/** Conditional if the object has a resourceVersion: a changed object is answered with 409. */
export function replace<T>(
  kube: Kube,
  path: string,
  object: object,
  options: CallOptions = {},
): Promise<ApiAnswer<T>> {
  return call(kube, { path, method: 'PUT', ...json(object) }, options)
}

export function patch<T>(
  kube: Kube,
  path: string,
  { type, body }: { readonly type: keyof typeof patchTypes; readonly body: object },
  options: CallOptions = {},
): Promise<ApiAnswer<T>> {
  return call(kube, { path, method: 'PATCH', ...json(body, patchTypes[type]) }, options)
}

/** Server-side apply, forced. The answer repeats the whole object and is not read. */
export function apply(
  kube: Kube,
  path: string,
  { object, fieldManager }: { readonly object: object; readonly fieldManager: string },
  options: CallOptions = {},
): Promise<ApiAnswer<undefined>> {
  const request = {
    path,
    method: 'PATCH',
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: applyBody(object),
  }
  return send(
    kube,
    request,
    { ...options, query: { fieldManager, force: 'true', ...options.query } },
    async response => {
      response.resume()
      return undefined
    },
  )
}

export function remove<T>(
  kube: Kube,
  path: string,
  preconditions?: Preconditions,
  options: CallOptions = {},
): Promise<ApiAnswer<T>> {
  const deleteOptions =
    preconditions && json({ apiVersion: 'v1', kind: 'DeleteOptions', preconditions })
  return call(kube, { path, method: 'DELETE', ...deleteOptions }, options)
}

/** Any other request. */
export function call<T>(
  kube: Kube,
  request: Omit<KubeRequest, 'signal'>,
  options: CallOptions = {},
): Promise<ApiAnswer<T>> {
  const { bytesMax } = options
  return send(kube, request, options, async response =>
    bytesMax === undefined
      ? ((await readJson(response)) as T)
      : ((await readBounded(response, bytesMax)) as T),
  )
}

/** The status and the server's reason, for messages. */
export function refusalText({
  status,
  message,
}: {
  readonly status: number
  readonly message: string
}): string {
  return `the API server answered ${status}, ${message}`
}

async function send<T>(
  kube: Kube,
  request: Omit<KubeRequest, 'signal'>,
  { signal, timeoutMs = defaultTimeoutMs, query, mayBeSent }: CallOptions,
  read: (response: IncomingMessage) => Promise<T>,
): Promise<ApiAnswer<T>> {
  const timeout = AbortSignal.timeout(timeoutMs)
  const response = await kube({
    ...request,
    ...(query && { query }),
    ...(mayBeSent && { mayBeSent }),
    headers: { accept: 'application/json', ...request.headers },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  })
  const status = response.statusCode ?? 0
  try {
    if (status < 200 || status >= 300)
      return { ok: false, status, message: await apiErrorMessage(response) }
    return { ok: true, status, body: await read(response) }
  } catch (error) {
    if (error instanceof ExpectedError) throw error
    throw new ExpectedError(`Cannot read the answer: ${(error as Error).message}`, { cause: error }) // it broke off, or is no JSON
  }
}

function json(body: object, type = 'application/json'): Pick<KubeRequest, 'headers' | 'body'> {
  return { headers: { 'content-type': type }, body: JSON.stringify(body) }
}

// The API server parses an apply body as YAML, which rejects some characters that JSON allows.
export function applyBody(object: object): string {
  const text = JSON.stringify(object, (_, value) =>
    typeof value === 'string' ? value.toWellFormed() : value,
  )
  return text.replaceAll(
    /[\u007f-\u009f\ufeff\ufffe\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
