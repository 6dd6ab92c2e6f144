// Waits until a capture reaches a state. In: the session, the name, a predicate. Out: the capture.
// Fails with a code each for the state Error, a timeout and a deletion.

import { setTimeout as after } from 'node:timers/promises'
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { CommandFailure } from '../../model/errors.ts'
import type { CaptureStateName } from '../../model/status.ts'
import { podMatchesOrReason } from './podMatches.ts'
import { capturesPath, request, type Session } from './session.ts'

export const waitGoals = ['started', 'capturing', 'finished'] as const
export type WaitGoal = (typeof waitGoals)[number]

const isReached: Readonly<Record<WaitGoal, readonly CaptureStateName[]>> = {
  started: ['Scheduled', 'WaitingForTraffic', 'Capturing', 'Finished'],
  capturing: ['Capturing', 'Finished'],
  finished: ['Finished'],
}

const pollIntervalMs = 500
const answersWithinMs = 15_000 // by then every node has reported a new capture

export async function waitFor(
  session: Session,
  name: string,
  goal: WaitGoal,
  withinSeconds: number,
): Promise<ShownCapture> {
  const endMs = performance.now() + withinSeconds * 1_000
  for (let missing: readonly string[] = []; ; ) {
    const capture = await getCapture(session, name)
    const { status, metadata } = capture
    if (status && status.observedGeneration >= metadata.generation) {
      missing = goal === 'capturing' ? [] : await unreportedPods(session, capture)
      if (isReached[goal].includes(status.state) && !isUnanswered(capture) && missing.length === 0)
        return capture
      if (status.state === 'Error')
        throw new CommandFailure('captureError', `Cannot capture "${name}": ${messageOf(capture)}`)
    }
    if (performance.now() > endMs)
      throw new CommandFailure(
        'timeout',
        `Cannot wait any longer for "${name}": after ${withinSeconds} s it is ${status?.state ?? 'not yet seen by the controller'}, expected ${goal}${missing.length > 0 ? ` with ${missing.join(', ')}` : ''}`,
      )
    await after(pollIntervalMs)
  }
}

/** No node has reported yet whether any pod matches, or the controller has not seen the capture. */
export function isUnanswered({ status }: Pick<ShownCapture, 'status'>): boolean {
  if (!status) return true
  return status.conditions.some(({ type, reason }) => type === 'Ready' && reason === 'NotAnswered')
}

/**
 * Matching pods that no node has reported yet. Empty if pods may not be listed: then the totals
 * decide.
 */
async function unreportedPods(session: Session, capture: ShownCapture): Promise<string[]> {
  const { spec, status } = capture
  if (!status || !isOpen(capture, session.nowMs())) return []
  const reported = new Set(status.files.flatMap(({ endpoints }) => endpoints.map(({ pod }) => pod)))
  const matches = await podMatchesOrReason(session, spec.selector ?? 'all()', status.withoutAgent)
  if ('reason' in matches) return []
  const taken = matches.pods.filter(({ isTaken }) => isTaken).map(({ pod }) => pod)
  if (status.endpoints >= taken.length) return [] // the status of a very large capture omits rows but keeps totals
  return taken.filter(pod => !reported.has(pod))
}

// A new capture may have reached its limit on one node before another node reports it.
function isOpen({ metadata, spec, status }: ShownCapture, nowMs: number): boolean {
  if (status?.state === 'WaitingForTraffic' || status?.state === 'Capturing') return true
  const isPast = spec.endTime !== undefined && Date.parse(spec.endTime) <= nowMs
  return (
    status?.state === 'Finished' &&
    !isPast &&
    nowMs - Date.parse(metadata.creationTimestamp) < answersWithinMs
  )
}

export function getCapture(session: Session, name: string): Promise<ShownCapture> {
  return request<ShownCapture>(session.kube, {
    path: capturesPath(session, session.namespace, name),
    what: `get capture "${name}"`,
  })
}

export function messageOf({ status }: ShownCapture): string {
  return status?.conditions.find(({ type }) => type === 'Ready')?.message ?? ''
}
