// Which of several controllers is at work: whoever holds the Lease and keeps renewing it. In: a name to go by. Out: a stretch of
// time as leader, ended by a signal. By the clock of this machine only: another's renewals are timed from when they were seen.

import { apiErrorMessage, type Kube, readJson } from '../kube/request.ts'
import { ExpectedError } from '../model/errors.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

export type LeaderElectionDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly log: Logger
  readonly namespace: string
  readonly holder: string // this process: no other goes by that name
}

type Lease = {
  readonly metadata: { readonly resourceVersion: string }
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string; readonly leaseTransitions?: number }
}

/** A stretch of time as leader. Others may take over from `heldUntilMs` on, by performance.now(): it moves with each renewal. */
export type Leadership = { readonly signal: AbortSignal; readonly heldUntilMs: () => number }

const name = accounts.controller
const lastsMs = 15_000
const renewMs = 3_000
const givesUpMs = 10_000 // without a renewal; before others take over
const apiTimeoutMs = 5_000

/** Waits until this process leads, lets `work` go on while it does, and again, until the signal. */
export async function runAsLeader(
  parts: LeaderElectionDeps,
  signal: AbortSignal,
  work: (term: Leadership) => Promise<void>,
): Promise<void> {
  try {
    while (!signal.aborted) {
      const wonAtMs = await acquire(parts, signal)
      if (wonAtMs !== undefined) await serve(parts, signal, wonAtMs, work)
    }
  } finally {
    await release(parts)
  }
}

async function serve(
  parts: LeaderElectionDeps,
  signal: AbortSignal,
  wonAtMs: number,
  work: (term: Leadership) => Promise<void>,
): Promise<void> {
  const { holder, log } = parts
  const ended = new AbortController()
  const hold: LeaseHold = { renewedAtMs: wonAtMs }
  const term: Leadership = { signal: AbortSignal.any([signal, ended.signal]), heldUntilMs: () => hold.renewedAtMs + givesUpMs }
  log.info({ holder }, 'leading')
  const end = () => ended.abort()
  await Promise.all([work(term).finally(end), keep(parts, hold, term).finally(end)])
  log.info({ holder }, 'no longer leading')
}

/** When the request was sent that won: the server counts from no earlier. undefined: told to stop. */
async function acquire(parts: LeaderElectionDeps, signal: AbortSignal): Promise<number | undefined> {
  const { clock, holder, log } = parts
  let seen: { readonly version: string; readonly atMs: number } | undefined
  let isFailing = false
  while (!signal.aborted) {
    const attempt = AbortSignal.any([signal, AbortSignal.timeout(apiTimeoutMs)])
    try {
      const lease = await read(parts, attempt)
      const sentAtMs = performance.now()
      const version = lease?.metadata.resourceVersion ?? ''
      if (seen?.version !== version) seen = { version, atMs: sentAtMs }
      const isFree = !lease?.spec?.holderIdentity || lease.spec.holderIdentity === holder || sentAtMs - seen.atMs > lastsMs
      if (isFree && (await write(parts, lease, holder, attempt))) return sentAtMs
      isFailing = false
    } catch (error) {
      if (!isFailing && !signal.aborted) log.warn({ reason: (error as Error).message }, 'lease not read, tried again')
      isFailing = true
    }
    await clock.sleepUntil(clock.now() + renewMs * (0.75 + Math.random() / 2), signal)
  }
  return undefined
}

type LeaseHold = { renewedAtMs: number }

// Resolves when the lease is lost, or could not be renewed for too long, whatever a request is still waiting for.
async function keep(parts: LeaderElectionDeps, hold: LeaseHold, { signal, heldUntilMs }: Leadership): Promise<void> {
  const { clock } = parts
  const leftMs = () => heldUntilMs() - performance.now()
  while (!signal.aborted && leftMs() > 0) {
    await clock.sleepUntil(clock.now() + Math.min(renewMs, leftMs()), signal)
    if (signal.aborted || leftMs() <= 0) return // this process may have been paused for long
    const attempt = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(Math.min(apiTimeoutMs, leftMs())))])
    try {
      if (!(await renew(parts, hold, attempt))) return
    } catch {} // counted by the time that passes
  }
}

/** False: it is somebody else's. */
async function renew(parts: LeaderElectionDeps, hold: LeaseHold, signal: AbortSignal): Promise<boolean> {
  const lease = await read(parts, signal)
  if (lease?.spec?.holderIdentity !== parts.holder) return false
  const sentAtMs = performance.now()
  if (await write(parts, lease, parts.holder, signal)) hold.renewedAtMs = sentAtMs
  return true
}

/** So that another need not wait. */
async function release(parts: LeaderElectionDeps): Promise<void> {
  try {
    const signal = AbortSignal.timeout(apiTimeoutMs)
    const lease = await read(parts, signal)
    if (lease?.spec?.holderIdentity === parts.holder) await write(parts, lease, '', signal)
  } catch {} // it runs out by itself
}

async function read({ kube, namespace }: LeaderElectionDeps, signal: AbortSignal): Promise<Lease | undefined> {
  const path = `${pathIn(namespace)}/${name}`
  const response = await kube({ path, signal })
  if (response.statusCode === 200) return (await readJson(response)) as Lease
  const said = await apiErrorMessage(response)
  if (response.statusCode === 404) return undefined
  throw new ExpectedError(`Cannot read the lease: the API server answered ${response.statusCode}, ${said}`)
}

/** False: somebody else was quicker. */
async function write(
  { kube, namespace, clock }: LeaderElectionDeps,
  lease: Lease | undefined,
  holder: string,
  signal: AbortSignal,
): Promise<boolean> {
  const renewTime = new Date(clock.now()).toISOString().replace('Z', '000Z') // microseconds
  const isChange = lease?.spec?.holderIdentity !== holder
  const spec = {
    ...lease?.spec,
    holderIdentity: holder,
    leaseDurationSeconds: lastsMs / 1_000,
    renewTime,
    ...(isChange && { acquireTime: renewTime, leaseTransitions: (lease?.spec?.leaseTransitions ?? -1) + 1 }),
  }
  const metadata = { name, namespace, ...(lease && { resourceVersion: lease.metadata.resourceVersion }) }
  const response = await kube({
    path: lease ? `${pathIn(namespace)}/${name}` : pathIn(namespace),
    method: lease ? 'PUT' : 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }),
    signal,
  })
  const said = await apiErrorMessage(response)
  if (response.statusCode === 200 || response.statusCode === 201) return true
  if (response.statusCode === 409) return false
  throw new ExpectedError(`Cannot write the lease: the API server answered ${response.statusCode}, ${said}`)
}

function pathIn(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
}
