// The conditions of a PacketCapture. Ready: the capture is as its spec says, now or in its window.
// Degraded: a node has a problem. Stalled: it stays an error until somebody changes something.
// Capturing: an endpoint is captured. Pure. In: the folded state, the nodes' elements, the previous
// conditions, the time. Out: all conditions; lastTransitionTime changes with the status only.
// Ready and Stalled follow kstatus, by which Flux, Helm and others wait for objects.

import { type ProblemReason, problemMeanings, type ReadyReason } from '../../model/codes.ts'
import type {
  AgentlessNode,
  CaptureStateName,
  CaptureStatusElement,
  Condition,
} from '../../model/status.ts'
import { truncateText } from '../../model/text.ts'
import { isoTime } from '../../model/time.ts'
import { agentlessMessage } from './agentless.ts'
import { truncateMessage } from './truncate.ts'

export type ConditionInput = {
  readonly state: CaptureStateName
  readonly elements: readonly CaptureStatusElement[]
  readonly agentless?: readonly AgentlessNode[]
  readonly isAwaited?: boolean // other nodes may still begin, though all that reported are done
  readonly message: string
  readonly generation: number
  readonly previous: readonly Condition[]
  readonly nowMs: number
}

export function conditionsOf(input: ConditionInput): Condition[] {
  const { reason, message } = readiness(input)
  const all = [ready(reason, message), degraded(input), stalled(reason, message), capturing(reason)]
  return all.map(condition => {
    const before = input.previous.find(({ type }) => type === condition.type)
    const lastTransitionTime =
      before?.status === condition.status ? before.lastTransitionTime : isoTime(input.nowMs)
    return {
      ...condition,
      message: truncateText(condition.message, conditionCharactersMax),
      observedGeneration: input.generation,
      lastTransitionTime,
    }
  })
}

const conditionCharactersMax = 8_192 // the schema allows more

type ConditionText = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

type Readiness = { readonly reason: ReadyReason; readonly message: string }

function readiness({ state, elements, isAwaited = false, message }: ConditionInput): Readiness {
  const live = elements.filter(({ endpoints }) =>
    endpoints.some(row => row.state === 'Capturing' || row.state === 'WaitingForTraffic'),
  )
  if (elements.some(({ isRejected }) => isRejected)) return { reason: 'Rejected', message }
  const isSilent = live.every(({ problems }) =>
    problems.some(({ reason }) => reason === 'NodeSilent'),
  )
  if (live.length > 0 && live.every(({ isStopped }) => isStopped))
    return { reason: 'Stopped', message }
  if (live.length > 0) return { reason: isSilent ? 'NodeSilent' : state, message }
  if (elements.some(({ isUnanswered }) => isUnanswered)) return { reason: 'NotAnswered', message }
  if (isAwaited)
    return {
      reason: 'NotAnswered',
      message: truncateMessage([message, 'other nodes may still begin']),
    }
  return { reason: state === 'WaitingForTraffic' ? 'NoEndpoint' : state, message }
}

const statusOf: Partial<Record<ReadyReason, Condition['status']>> = {
  NodeSilent: 'Unknown',
  NotAnswered: 'False',
  Stopped: 'False',
  Error: 'False',
  Rejected: 'False',
}

// A capture that waits or is over is as its spec says: a tool that waits for it would wait for ever.
function ready(reason: ReadyReason, message: string): ConditionText {
  return { type: 'Ready', status: statusOf[reason] ?? 'True', reason, message }
}

function stalled(reason: ReadyReason, message: string): ConditionText {
  return reason === 'Error' || reason === 'Rejected'
    ? { type: 'Stalled', status: 'True', reason, message }
    : { type: 'Stalled', status: 'False', reason: 'AsExpected', message: '' }
}

function capturing(reason: ReadyReason): ConditionText {
  const isOpen = capturingReasons.includes(reason)
  const status = reason === 'NodeSilent' ? 'Unknown' : isOpen ? 'True' : 'False'
  return { type: 'Capturing', status, reason, message: '' }
}

/** Reasons of Ready while an endpoint is captured. */
const capturingReasons: readonly ReadyReason[] = ['Capturing', 'WaitingForTraffic']

// The gravest reason first, over all nodes.
const severityOf = Object.keys(problemMeanings) as ProblemReason[]

function degraded({ elements, agentless = [] }: ConditionInput): ConditionText {
  const here = elements.flatMap(({ node, problems }) =>
    problems.map(problem => ({ ...problem, node })),
  )
  const missing = agentless.map(each => ({
    node: each.node,
    reason: 'NoAgent' as const,
    message: agentlessMessage(each),
  }))
  const sorted = [...here, ...missing].toSorted(
    (a, b) => severityOf.indexOf(a.reason) - severityOf.indexOf(b.reason),
  )
  const [first] = sorted
  if (!first) return { type: 'Degraded', status: 'False', reason: 'AsExpected', message: '' }
  return {
    type: 'Degraded',
    status: first.reason === 'NodeSilent' ? 'Unknown' : 'True', // nothing worse is known
    reason: first.reason,
    message: truncateMessage(sorted.map(({ node, message }) => `${node}: ${message}`)),
  }
}
