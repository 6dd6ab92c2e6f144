// Logs what a turn changed: one line for each tap that opens or closes, for each capture whose
// state changed, and for each new problem. In: the decision, the status elements before and now.
// Out: log lines with constant messages and values as fields.

import type { Decision } from '../model/decision.ts'
import type { CaptureStatusElement } from '../model/status.ts'
import type { Action, TapSpec } from '../model/tap.ts'
import type { Logger } from '../runtime/log.ts'

type StatusElements = ReadonlyMap<string, CaptureStatusElement>

export type Turn = {
  readonly decision: Decision
  readonly before: StatusElements
  readonly elements: StatusElements
}

export function logTurn(log: Logger, { decision, before, elements }: Turn): void {
  for (const action of decision.actions) logAction(log, action)
  for (const [key, element] of elements) logElement(log, key, before.get(key), element)
  for (const key of before.keys())
    if (!elements.has(key)) log.info({ capture: key }, 'capture gone')
}

function logAction(log: Logger, action: Action): void {
  switch (action.kind) {
    case 'open':
      return log.info(
        { tap: action.spec.id, interface: interfaceOf(action.spec), filter: action.spec.filter },
        'opening tap',
      )
    case 'close':
      return log.info({ tap: action.id, reason: action.reason }, 'closing tap')
    case 'adjust':
      return log.info(
        {
          tap: action.spec.id,
          rotation: action.spec.rotation,
          limits: action.spec.limits,
          window: action.spec.window,
        },
        'adjusting tap',
      )
    case 'forget':
      return log.info(
        { capture: action.captureKey, uid: action.uid },
        'removing files of a capture that is gone',
      )
  }
}

function interfaceOf({ endpoint, interfaceName }: TapSpec): string | undefined {
  return endpoint.podInterface ?? interfaceName
}

function logElement(
  log: Logger,
  key: string,
  before: CaptureStatusElement | undefined,
  now: CaptureStatusElement,
): void {
  const { state, packets, dropped, message } = now
  if (before?.state !== state)
    log[state === 'Error' ? 'error' : 'info'](
      { capture: key, from: before?.state, state, packets, dropped, message },
      'capture state',
    )
  const known = new Set(before?.problems.map(({ reason }) => reason))
  for (const problem of now.problems)
    if (!known.has(problem.reason))
      log.warn(
        { capture: key, reason: problem.reason, problem: problem.message },
        'capture degraded',
      )
}
