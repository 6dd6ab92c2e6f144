// A node in memory: carries out actions as src/taps would, and holds every action to what may be
// asked of it. It opens whatever it is told to, unless the interface is broken; it counts no
// packets unless a test says so.
import type { Decision } from '../../../src/engine/evaluate.ts'
import type { ActualCapture, ActualEndpoint, ActualState } from '../../../src/model/actualState.ts'
import { endpointKey } from '../../../src/model/endpoint.ts'
import type { Action, ActualTap, TapSpec } from '../../../src/model/tap.ts'

export const emptyNode: ActualState = {
  taps: new Map(),
  captures: new Map(),
  filterErrors: new Map(),
  disk: { usedBytes: 0, freePercent: 80 },
  podInterfaces: new Map(),
}

export type Breakage = { readonly interfaces: ReadonlySet<string>; readonly retryMs?: number }

const whole: Breakage = { interfaces: new Set() }

/** Throws when an action makes no sense on what the node holds. */
export function carryOut(
  actual: ActualState,
  decision: Decision,
  nowMs: number,
  broken: Breakage = whole,
): ActualState {
  const halted = new Map(
    [...actual.captures].map(([key, { halt, ...facts }]): [string, ActualCapture] => {
      const now = decision.halts.has(key) ? decision.halts.get(key) : halt
      return [key, { ...facts, ...(now && { halt: now }) }]
    }),
  )
  return decision.actions.reduce<ActualState>(
    (now, action) => carryOne(now, action, nowMs, broken),
    { ...actual, captures: halted },
  )
}

/**
 * Taps whose window has opened by now have a row from its opening on; before that they leave no
 * trace.
 */
export function beginDue(actual: ActualState, nowMs: number): ActualState {
  return [...actual.taps.values()]
    .filter(
      ({ spec, state }) =>
        state === 'open' && nowMs >= (spec.window.fromMs ?? 0) && !hasRow(actual, spec),
    )
    .reduce(
      (now, { spec }) =>
        withRow(now, spec, row => reopened(row, spec, startOf(spec, nowMs)), startOf(spec, nowMs)),
      actual,
    )
}

function startOf({ window }: TapSpec, nowMs: number): number {
  return window.fromMs ?? nowMs
}

function hasRow({ captures }: ActualState, { captureKey, endpoint }: TapSpec): boolean {
  const row = captures.get(captureKey)?.endpoints.get(endpointKey(endpoint))
  return row !== undefined && row.endedAtMs === undefined
}

function carryOne(
  actual: ActualState,
  action: Action,
  nowMs: number,
  broken: Breakage,
): ActualState {
  switch (action.kind) {
    case 'close':
      return close(actual, action.id, nowMs)
    case 'forget':
      return forget(actual, action.captureKey, action.uid)
    case 'adjust':
      must(
        actual.taps.get(action.spec.id)?.state === 'open',
        `adjust of ${action.spec.id}, which is not open`,
      )
      return {
        ...actual,
        taps: new Map(actual.taps).set(action.spec.id, { spec: action.spec, state: 'open' }),
      }
    case 'open':
      return open(actual, action.spec, nowMs, broken)
  }
}

function close(actual: ActualState, id: string, nowMs: number): ActualState {
  const tap = actual.taps.get(id)
  must(tap !== undefined, `close of ${id}, which is not there`)
  const taps = new Map([...actual.taps].filter(([other]) => other !== id))
  return tap?.state === 'open' && hasRow(actual, tap.spec)
    ? withRow({ ...actual, taps }, tap.spec, row => ({ ...row, endedAtMs: nowMs }), nowMs)
    : { ...actual, taps }
}

function forget(actual: ActualState, key: string, uid: string): ActualState {
  must(
    actual.captures.get(key)?.uid === uid,
    `forget of ${key} with uid ${uid}, which is not there`,
  )
  must(
    [...actual.taps.values()].every(
      ({ spec, state }) => state === 'failed' || spec.captureKey !== key,
    ),
    `forget of ${key} with open taps`,
  )
  return { ...actual, captures: new Map([...actual.captures].filter(([other]) => other !== key)) }
}

function open(actual: ActualState, spec: TapSpec, nowMs: number, broken: Breakage): ActualState {
  must(actual.taps.get(spec.id)?.state !== 'open', `second open of ${spec.id}`)
  if (broken.interfaces.has(spec.interfaceName ?? '')) {
    const retryAtMs = broken.retryMs === undefined ? {} : { retryAtMs: nowMs + broken.retryMs }
    const failed: ActualTap = {
      spec,
      state: 'failed',
      message: `no interface "${spec.interfaceName}"`,
      ...retryAtMs,
    }
    return { ...actual, taps: new Map(actual.taps).set(spec.id, failed) }
  }
  const known = actual.captures.get(spec.captureKey)
  must(
    !known || known.uid === spec.capture.uid,
    `open of ${spec.id} over the files of another capture`,
  )
  const opened = {
    ...actual,
    taps: new Map(actual.taps).set(spec.id, { spec, state: 'open' } as const),
  }
  return nowMs < (spec.window.fromMs ?? 0)
    ? opened
    : withRow(opened, spec, row => reopened(row, spec, nowMs), nowMs)
}

function reopened(
  { endedAtMs, ...row }: ActualEndpoint,
  { endpoint, interfaceName }: TapSpec,
  nowMs: number,
): ActualEndpoint {
  const gaps =
    endedAtMs === undefined
      ? row.gaps
      : [...row.gaps, { fromMs: endedAtMs, toMs: nowMs, reason: 'closed' }]
  return {
    ...row,
    uid: endpoint.uid,
    interfaceName: endpoint.podInterface ?? interfaceName ?? 'found',
    gaps,
  }
}

function withRow(
  actual: ActualState,
  spec: TapSpec,
  change: (row: ActualEndpoint) => ActualEndpoint,
  nowMs: number,
): ActualState {
  const facts = actual.captures.get(spec.captureKey) ?? freshFacts(spec, nowMs)
  const row = facts.endpoints.get(endpointKey(spec.endpoint)) ?? freshRow(spec, nowMs)
  const endpoints = new Map(facts.endpoints).set(endpointKey(spec.endpoint), change(row))
  return {
    ...actual,
    captures: new Map(actual.captures).set(spec.captureKey, { ...facts, endpoints }),
  }
}

export function freshFacts(
  { captureKey, capture }: Pick<TapSpec, 'captureKey' | 'capture'>,
  nowMs: number,
): ActualCapture {
  return {
    key: captureKey,
    uid: capture.uid,
    firstOpenedAtMs: nowMs,
    fileNames: [],
    fileBytes: 0,
    endpoints: new Map(),
  }
}

function freshRow({ endpoint, interfaceName }: TapSpec, nowMs: number): ActualEndpoint {
  const none = { packets: 0, bytes: 0, received: 0, dropped: 0, refused: 0, truncated: 0 }
  return {
    name: endpoint.name,
    ...(endpoint.podInterface !== undefined && { podInterface: endpoint.podInterface }),
    uid: endpoint.uid,
    interfaceName: endpoint.podInterface ?? interfaceName ?? 'found',
    vantage: 'HostVeth',
    ...none,
    startedAtMs: nowMs,
    gaps: [],
  }
}

export function must(isTrue: boolean, what: string): asserts isTrue {
  if (!isTrue) throw new Error(`The node was asked for nonsense: ${what}`)
}
