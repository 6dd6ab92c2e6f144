// Elects one of several controllers as leader by a Lease. In: this process's identity. Out: terms
// as leader, each ended by a signal. Only this machine's monotonic clock is used: another holder's
// renewals are timed from when this process observed them.

import { create, get, refusalText, replace } from '../kube/client.ts'
import type { Kube } from '../kube/request.ts'
import { ExpectedError } from '../model/errors.ts'
import { accounts } from '../model/wellKnown.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/log.ts'

export type LeaderElectionDeps = {
  readonly kube: Kube
  readonly clock: Clock
  readonly log: Logger
  readonly namespace: string
  readonly holder: string // this process: unique among all controllers
}

type Lease = {
  readonly metadata: { readonly resourceVersion: string }
  readonly spec?: {
    readonly holderIdentity?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

/**
 * A term as leader. Others may take over from `heldUntilMs` on, by performance.now(); each renewal
 * moves it.
 */
export type Leadership = { readonly signal: AbortSignal; readonly heldUntilMs: () => number }

const name = accounts.controller
const leaseMs = 15_000
const renewMs = 3_000
const renewDeadlineMs = 10_000 // without a renewal; less than leaseMs, so that this leader stops before another begins
const apiTimeoutMs = 5_000

/** Runs `work` in each term as leader, until the signal. */
export async function runAsLeader(
  deps: LeaderElectionDeps,
  signal: AbortSignal,
  work: (term: Leadership) => Promise<void>,
): Promise<void> {
  try {
    while (!signal.aborted) {
      const acquiredAtMs = await acquire(deps, signal)
      if (acquiredAtMs !== undefined) await runTerm(deps, signal, acquiredAtMs, work)
    }
  } finally {
    await release(deps)
  }
}

async function runTerm(
  deps: LeaderElectionDeps,
  signal: AbortSignal,
  acquiredAtMs: number,
  work: (term: Leadership) => Promise<void>,
): Promise<void> {
  const { holder, log } = deps
  const ended = new AbortController()
  const hold: LeaseHold = { renewedAtMs: acquiredAtMs }
  const term: Leadership = {
    signal: AbortSignal.any([signal, ended.signal]),
    heldUntilMs: () => hold.renewedAtMs + renewDeadlineMs,
  }
  log.info({ holder }, 'leading')
  const end = () => ended.abort()
  await Promise.all([work(term).finally(end), renewUntilLost(deps, hold, term).finally(end)])
  log.info({ holder }, 'no longer leading')
}

/**
 * When the request that acquired the lease was sent: the lease lasts at least from then. undefined:
 * the signal came first.
 */
async function acquire(deps: LeaderElectionDeps, signal: AbortSignal): Promise<number | undefined> {
  const { clock, holder, log } = deps
  let seen: { readonly version: string; readonly atMs: number } | undefined
  let isFailing = false
  while (!signal.aborted) {
    const attempt = AbortSignal.any([signal, AbortSignal.timeout(apiTimeoutMs)])
    try {
      const lease = await read(deps, attempt)
      const sentAtMs = performance.now()
      const version = lease?.metadata.resourceVersion ?? ''
      if (seen?.version !== version) seen = { version, atMs: sentAtMs }
      const isFree =
        !lease?.spec?.holderIdentity ||
        lease.spec.holderIdentity === holder ||
        sentAtMs - seen.atMs > leaseMs
      if (isFree && (await write(deps, lease, holder, attempt))) return sentAtMs
      isFailing = false
    } catch (error) {
      if (!isFailing && !signal.aborted)
        log.warn({ reason: (error as Error).message }, 'lease not read, tried again')
      isFailing = true
    }
    await clock.sleepUntil(clock.now() + renewMs * (0.75 + Math.random() / 2), signal)
  }
  return undefined
}

type LeaseHold = { renewedAtMs: number }

// Resolves when the lease is lost or was not renewed in time, even if a request is still pending.
async function renewUntilLost(
  deps: LeaderElectionDeps,
  hold: LeaseHold,
  { signal, heldUntilMs }: Leadership,
): Promise<void> {
  const { clock, log } = deps
  let isFailing = false
  const leftMs = () => heldUntilMs() - performance.now()
  while (!signal.aborted && leftMs() > 0) {
    await clock.sleepUntil(clock.now() + Math.min(renewMs, leftMs()), signal)
    if (signal.aborted || leftMs() <= 0) return // this process may have been paused
    const attempt = AbortSignal.any([
      signal,
      AbortSignal.timeout(Math.ceil(Math.min(apiTimeoutMs, leftMs()))),
    ])
    try {
      if (!(await renew(deps, hold, attempt))) return
      isFailing = false
    } catch (error) {
      if (!isFailing && !signal.aborted)
        log.warn(
          { reason: (error as Error).message },
          'lease not renewed, tried again until it ends',
        )
      isFailing = true
    }
  }
}

/** False: another process holds the lease. */
async function renew(
  deps: LeaderElectionDeps,
  hold: LeaseHold,
  signal: AbortSignal,
): Promise<boolean> {
  const lease = await read(deps, signal)
  if (lease?.spec?.holderIdentity !== deps.holder) return false
  const sentAtMs = performance.now()
  if (await write(deps, lease, deps.holder, signal)) hold.renewedAtMs = sentAtMs
  return true
}

/** Frees the lease, so that another controller need not wait for its end. */
async function release(deps: LeaderElectionDeps): Promise<void> {
  try {
    const signal = AbortSignal.timeout(apiTimeoutMs)
    const lease = await read(deps, signal)
    if (lease?.spec?.holderIdentity === deps.holder) await write(deps, lease, '', signal)
  } catch (error) {
    deps.log.info({ reason: (error as Error).message }, 'lease not released, it expires by itself')
  }
}

async function read(
  { kube, namespace }: LeaderElectionDeps,
  signal: AbortSignal,
): Promise<Lease | undefined> {
  const path = `${pathIn(namespace)}/${name}`
  const answer = await get<Lease>(kube, path, { signal })
  if (answer.ok) return answer.body
  if (answer.status === 404) return undefined
  throw new ExpectedError(`Cannot read the lease: ${refusalText(answer)}`)
}

/** False: another process wrote the lease first. */
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
    leaseDurationSeconds: leaseMs / 1_000,
    renewTime,
    ...(isChange && {
      acquireTime: renewTime,
      leaseTransitions: (lease?.spec?.leaseTransitions ?? -1) + 1,
    }),
  }
  const metadata = {
    name,
    namespace,
    ...(lease && { resourceVersion: lease.metadata.resourceVersion }),
  }
  const next = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec }
  const path = pathIn(namespace)
  const answer = lease
    ? await replace(kube, `${path}/${name}`, next, { signal })
    : await create(kube, path, next, { signal })
  if (answer.ok) return true
  if (answer.status === 409) return false
  throw new ExpectedError(`Cannot write the lease: ${refusalText(answer)}`)
}

function pathIn(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
}
