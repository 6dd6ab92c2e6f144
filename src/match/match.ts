// Which endpoints a capture takes: live ones of its own namespace, on this node, that its selector matches.
// In: an intent and the endpoints grouped by namespace. Out: the matching ones by name, and counts that explain an empty result.
// A selector never sees another namespace's endpoints. Budgets are src/plan's business.
import type { Intent } from '../model/capture.ts'
import type { Matches } from '../model/decision.ts'
import type { Endpoint } from '../model/endpoint.ts'

/** An endpoint with its label lookup, made once and asked by every selector. */
export type Candidate = { readonly endpoint: Endpoint; readonly label: (name: string) => string | undefined }

export type Candidates = ReadonlyMap<string, readonly Candidate[]> // by namespace

/** One candidate for each endpoint name: of several documents under one name the local, live one speaks. */
export function candidatesOf(endpoints: readonly Endpoint[], node: string): Candidates {
  const first = new Map<string, Endpoint>()
  const ordered = endpoints.toSorted((a, b) => rank(a, node) - rank(b, node) || compareText(tieOf(a), tieOf(b)))
  for (const endpoint of ordered) {
    const name = `${endpoint.namespace}/${endpoint.name}`
    if (!first.has(name)) first.set(name, endpoint)
  }
  const candidates = [...first.values()]
    .toSorted((a, b) => compareText(a.name, b.name))
    .map(endpoint => ({ endpoint, label: (name: string) => endpoint.labels.get(name) }))
  return Map.groupBy(candidates, ({ endpoint }) => endpoint.namespace)
}

export function matchEndpoints(intent: Intent, candidates: Candidates, node: string): Matches {
  const inNamespace = (candidates.get(intent.capture.namespace) ?? []).filter(({ endpoint }) => endpoint.live)
  const matching = inNamespace.filter(({ label }) => intent.matches(label)).map(({ endpoint }) => endpoint)
  const isHere = (endpoint: Endpoint) => endpoint.node === node
  return {
    matched: matching.filter(endpoint => isHere(endpoint) && !endpoint.hostNetwork),
    inNamespace: inNamespace.filter(({ endpoint }) => isHere(endpoint) && !endpoint.hostNetwork).length,
    elsewhere: matching.filter(endpoint => !isHere(endpoint) && !endpoint.hostNetwork).length,
    hostNetwork: matching.filter(endpoint => isHere(endpoint) && endpoint.hostNetwork).length,
  }
}

function rank(endpoint: Endpoint, node: string): number {
  return (endpoint.node === node ? 0 : 4) + (endpoint.live ? 0 : 2) + (endpoint.hostNetwork ? 1 : 0)
}

function tieOf({ interfaceName = '', uid }: Endpoint): string {
  return `${interfaceName}\n${uid}`
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
