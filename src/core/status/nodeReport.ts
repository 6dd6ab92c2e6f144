// The body of a node's NodeCaptureReport, bounded in size. Pure. In: the world, the elements of a
// turn, the node's identity and budgets. Out: plain data with only those captures that concern the
// node, so that a capture without an endpoint here costs nothing.
import { type Api, captureKey } from '../../model/captureRef.ts'
import type { NodeReport } from '../../model/publisher.ts'
import type {
  ArtifactStatus,
  CaptureStatusElement,
  FileStatus,
  Problem,
  RetryState,
} from '../../model/status.ts'
import { truncateText } from '../../model/text.ts'
import type { CaptureDocument } from '../../model/world.ts'
import { bytesOf, cut, rankOf, stepCount, withinBytes } from './truncate.ts'

export type ReportedCapture = {
  readonly api: Api
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly observedGeneration: number
  readonly isListed: boolean // false: endpoints here match but cannot be captured, so status.files has no element for the node
  readonly isRejected: boolean
  readonly problems: readonly Problem[]
  readonly artifact?: ArtifactStatus
  readonly failing?: RetryState
  readonly file: FileStatus
}

export type Budgets = {
  readonly diskBytesMax: number
  readonly diskBytesUsed: number
  readonly diskFreePercent: number
  readonly ringBytesMax: number
  readonly ringBytesUsed: number
  readonly bufferBytesMax: number
  readonly bufferBytesUsed: number // packets that wait for a disk
  readonly bufferHighWaterBytes: number // the most since the start
  readonly bufferWaitMilliseconds: number // of the oldest
}

export type NodeIdentity = {
  readonly agentVersion: string
  readonly startedAt: string
  readonly address: string
  readonly port: number
  readonly certificateFingerprint?: string
  readonly clockOffsetMilliseconds?: number
}

/**
 * `report` of a NodeCaptureReport without reportedAt. `truncated`: rows were left out to keep it
 * small.
 */
export type NodeReportStatus = NodeIdentity & {
  readonly budgets: Budgets
  readonly captures: readonly ReportedCapture[]
  readonly truncated: boolean
}

const bytesMax = 512 * 1_024 // an API server stores up to 1.5 MB, and every change sends the whole report

export function reportOf(
  nodeReport: NodeReport,
  identity: NodeIdentity,
  budgets: Budgets,
): NodeReportStatus {
  const captures = concerning(nodeReport).map(([capture, element]) => reported(capture, element))
  const sorted = captures.toSorted((a, b) =>
    `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1,
  )
  return bounded({ ...identity, budgets, captures: sorted, truncated: false })
}

/**
 * What sameButCounts() compares: a difference beside counts is published at once. Each message is
 * replaced by its wording.
 */
export function reportState(
  nodeReport: NodeReport,
  { clockOffsetMilliseconds: _, ...identity }: NodeIdentity,
): object {
  const captures = concerning(nodeReport).map(([capture, element]) => {
    const { problems, file, ...rest } = reported(capture, element)
    const { fileNames, endpoints, message, ...counted } = file
    const isSeen = endpoints.map(({ packets }) => packets > 0)
    const texts = endpoints.map(row => row.message)
    return [
      capture.metadata.uid,
      {
        ...rest,
        problems: problems.map(problem => ({
          reason: problem.reason,
          wording: problem.wording ?? problem.message,
        })),
        file: {
          ...counted,
          endpoints,
          wording: element.wording ?? message,
          hasFiles: fileNames.length > 0,
          isSeen,
          texts,
        },
      },
    ]
  })
  return { ...identity, captures: Object.fromEntries(captures) }
}

/** Captures with an endpoint on this node, or with pods of which none can be captured. */
function concerning({
  world,
  elements,
}: NodeReport): (readonly [CaptureDocument, CaptureStatusElement])[] {
  return world.captures.flatMap(capture => {
    const element = elements.get(captureKey({ api: capture.kind, ...capture.metadata }))
    return element && (element.endpoints.length > 0 || element.isUncapturable)
      ? [[capture, element] as const]
      : []
  })
}

function reported(
  { kind, metadata }: CaptureDocument,
  element: CaptureStatusElement,
): ReportedCapture {
  const {
    isListed,
    isRejected,
    isUncapturable: _,
    wording: __,
    problems,
    artifact,
    failing,
    ...file
  } = element
  const { namespace, name, uid, generation } = metadata
  return {
    api: kind,
    namespace,
    name,
    uid,
    observedGeneration: generation,
    isListed,
    isRejected,
    problems,
    ...(artifact && { artifact }),
    ...(failing && { failing }),
    file,
  }
}

function bounded(report: NodeReportStatus): NodeReportStatus {
  for (let step = 0; step <= stepMost; step++) {
    const shorter = {
      ...report,
      captures: report.captures.map(row => cutRow(row, step)),
      truncated: step > 0,
    }
    if (bytesOf(shorter) <= bytesMax) return shorter
    if (step === stepMost) return fewer(shorter)
  }
  return report
}

const stepMost = stepCount - 2 // one endpoint stays, which shows that the node takes part
const problemCharactersMax = 4_096 // the schema refuses more

function cutRow({ file, problems, ...row }: ReportedCapture, step: number): ReportedCapture {
  const characters = step < 2 ? problemCharactersMax : 200
  return {
    ...row,
    problems: problems.map(({ reason, message }) => ({
      reason,
      message: truncateText(message, characters),
    })),
    file: cut(file, step),
  }
}

// Rows of running captures stay: without them the controller would take the capture for finished.
function fewer(report: NodeReportStatus): NodeReportStatus {
  const room = bytesMax - bytesOf({ ...report, captures: [] })
  return {
    ...report,
    captures: withinBytes(report.captures, ({ file }) => rankOf(file.state), room),
  }
}
