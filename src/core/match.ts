// Selects a capture's endpoints: live ones within its scope, on this node, that its selector
// matches. Pure. In: an intent and the endpoints by namespace. Out: the matching ones by name, and
// counts that explain an empty result. A selector never sees an endpoint outside the scope, which
// for a PacketCapture is its own namespace.
import type { Intent, Scope } from '../model/capture.ts'
import type { CaptureRef } from '../model/captureRef.ts'
import type { MatchCounts } from '../model/decision.ts'
import type { Endpoint } from '../model/endpoint.ts'
import { compareText } from '../model/text.ts'

/** An endpoint with its label lookup, which all selectors share. */
export type Candidate = {
  readonly endpoint: Endpoint
  readonly label: (name: string) => string | undefined
}

export type Candidates = ReadonlyMap<string, readonly Candidate[]> // by namespace

/**
 * One candidate for each endpoint name: of several documents under one name the local, live one
 * counts.
 */
export function candidatesOf(endpoints: readonly Endpoint[], node: string): Candidates {
  const first = new Map<string, Endpoint>()
  const ordered = endpoints.toSorted(
    (a, b) => scopeRank(a, node) - scopeRank(b, node) || compareText(tieOf(a), tieOf(b)),
  )
  for (const endpoint of ordered) {
    const name = `${endpoint.namespace}/${endpoint.name}`
    if (!first.has(name)) first.set(name, endpoint)
  }
  const candidates = [...first.values()]
    .toSorted((a, b) => compareText(a.name, b.name))
    .map(endpoint => ({ endpoint, label: (name: string) => endpoint.labels.get(name) }))
  return Map.groupBy(candidates, ({ endpoint }) => endpoint.namespace)
}

export function matchEndpoints(intent: Intent, candidates: Candidates, node: string): MatchCounts {
  const { capture, scope } = intent
  const inNamespace = inScope(scope, candidates).filter(({ endpoint }) => endpoint.live)
  const matching = inNamespace
    .filter(({ label, endpoint }) => intent.matches(label, endpoint))
    .map(({ endpoint }) => named(capture, endpoint))
  const isHere = (endpoint: Endpoint) => endpoint.node === node
  const pods = matching.filter(endpoint => isHere(endpoint) && !endpoint.hostNetwork)
  return {
    matched: pods,
    pods,
    inNamespace: inNamespace.filter(({ endpoint }) => isHere(endpoint) && !endpoint.hostNetwork)
      .length,
    elsewhere: matching.filter(endpoint => !isHere(endpoint) && !endpoint.hostNetwork).length,
    hostNetwork: matching.filter(endpoint => isHere(endpoint) && endpoint.hostNetwork).length,
  }
}

function inScope(scope: Scope, candidates: Candidates): readonly Candidate[] {
  if (scope.kind === 'Namespaces') return scope.names.flatMap(name => candidates.get(name) ?? [])
  const { interfaces } = scope
  return (candidates.get('') ?? []).filter(
    ({ endpoint }) => interfaces === undefined || interfaces.includes(endpoint.name),
  )
}

/**
 * Rows and files are named after the endpoint: outside the capture's namespace the name includes
 * the endpoint's namespace.
 */
function named({ namespace }: CaptureRef, endpoint: Endpoint): Endpoint {
  const isOwn = endpoint.namespace === namespace || endpoint.namespace === ''
  return isOwn ? endpoint : { ...endpoint, name: `${endpoint.namespace}.${endpoint.name}` }
}

function scopeRank(endpoint: Endpoint, node: string): number {
  return (endpoint.node === node ? 0 : 4) + (endpoint.live ? 0 : 2) + (endpoint.hostNetwork ? 1 : 0)
}

function tieOf({ interfaceName = '', uid }: Endpoint): string {
  return `${interfaceName}\n${uid}`
}
