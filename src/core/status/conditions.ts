// The conditions of a PacketCapture: Ready while an endpoint is captured, Degraded while a node has
// a problem. Pure. In: the folded state, the nodes' elements, the previous conditions, the time.
// Out: both conditions; lastTransitionTime changes with the status only.

import { type ProblemReason, problemMeanings } from '../../model/codes.ts'
import type { CaptureStateName, CaptureStatusElement, Condition } from '../../model/status.ts'
import { truncateText } from '../../model/text.ts'
import { isoTime } from '../../model/time.ts'

export type ConditionInput = {
  readonly state: CaptureStateName
  readonly elements: readonly CaptureStatusElement[]
  readonly isAwaited?: boolean // other nodes may still begin, though all that reported are done
  readonly message: string
  readonly generation: number
  readonly previous: readonly Condition[]
  readonly nowMs: number
}

export function conditionsOf(input: ConditionInput): Condition[] {
  return [ready(input), degraded(input)].map(condition => {
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

function ready({ state, elements, isAwaited = false, message }: ConditionInput): ConditionText {
  const live = elements.filter(({ endpoints }) =>
    endpoints.some(row => row.state === 'Capturing' || row.state === 'WaitingForTraffic'),
  )
  if (elements.some(({ isRejected }) => isRejected))
    return { type: 'Ready', status: 'False', reason: 'Rejected', message }
  const isSilent = live.every(({ problems }) =>
    problems.some(({ reason }) => reason === 'NodeSilent'),
  )
  if (live.length > 0 && isSilent)
    return { type: 'Ready', status: 'Unknown', reason: 'NodeSilent', message }
  if (live.length > 0) return { type: 'Ready', status: 'True', reason: state, message }
  if (elements.some(({ isUnanswered }) => isUnanswered))
    return { type: 'Ready', status: 'False', reason: 'NotAnswered', message }
  if (isAwaited)
    return {
      type: 'Ready',
      status: 'False',
      reason: 'NotAnswered',
      message: truncateMessage([message, 'other nodes may still begin']),
    }
  return {
    type: 'Ready',
    status: 'False',
    reason: state === 'WaitingForTraffic' ? 'NoEndpoint' : state,
    message,
  }
}

// The gravest reason first, over all nodes.
const severityOf = Object.keys(problemMeanings) as ProblemReason[]

function degraded({ elements }: ConditionInput): ConditionText {
  const problems = elements.flatMap(({ node, problems: here }) =>
    here.map(problem => ({ ...problem, node })),
  )
  const sorted = problems.toSorted(
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

const messageCharactersMax = 1_024

/** Messages in one line of bearable length; what is left out is counted. */
export function truncateMessage(messages: readonly string[]): string {
  let length = -'; '.length // of those before and this one, joined
  const tooLong = messages.findIndex((message, index) => {
    length += '; '.length + message.length
    return index > 0 && length > messageCharactersMax
  })
  const fitting = tooLong === -1 ? messages : messages.slice(0, tooLong)
  const rest = messages.length - fitting.length
  return [...fitting, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ')
}
