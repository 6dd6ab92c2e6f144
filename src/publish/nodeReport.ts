// What a node tells the cluster: the body of its NodeCaptureReport, bounded in size. Pure.
// In: the world, the elements of a turn, the node's figures. Out: plain data; only captures that concern the node are in it,
// so that a capture which matches nobody here costs nothing.
import { captureKey } from '../model/capture.ts'
import type { PacketCapture } from '../model/world.ts'
import type { CaptureStatusElement, FileStatus, Problem } from '../status/types.ts'
import type { NodeReport } from './publisher.ts'

export type ReportedCapture = {
  readonly api: 'PacketCapture'
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly observedGeneration: number
  readonly isListed: boolean // false: endpoints here match but cannot be captured, so status.files has no element for the node
  readonly isRejected: boolean
  readonly problems: readonly Problem[]
  readonly file: FileStatus
}

export type Budgets = {
  readonly diskBytesMax: number
  readonly diskBytesUsed: number
  readonly diskFreePercent: number
  readonly ringBytesMax: number
  readonly ringBytesUsed: number
}

export type Identity = { readonly agentVersion: string; readonly startedAt: string; readonly address: string; readonly port: number }

/** `report` of a NodeCaptureReport, all but reportedAt. `truncated`: rows were left out to keep it small. */
export type Report = Identity & {
  readonly budgets: Budgets
  readonly captures: readonly ReportedCapture[]
  readonly truncated: boolean
}

const bytesMax = 512 * 1_024 // an API server takes one and a half megabytes, and every change is sent whole

export function reportOf({ world, elements }: NodeReport, identity: Identity, budgets: Budgets): Report {
  const captures = world.captures.flatMap(capture => {
    const element = elements.get(captureKey(capture.metadata))
    return element && (element.endpoints.length > 0 || element.isHostNetworked) ? [reported(capture, element)] : []
  })
  const sorted = captures.toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1))
  return bounded({ ...identity, budgets, captures: sorted, truncated: false })
}

/** The report without what changes with every packet: whoever differs in this is published at once. */
export function withoutCounts({ captures, ...rest }: Report): unknown {
  const plain = captures.map(({ file, ...capture }) => {
    const { packets: _, bytes: __, dropped: ___, endpoints, ...kept } = file
    return {
      ...capture,
      file: kept,
      endpoints: endpoints.map(({ packets, bytes: ____, dropped: _____, ...row }) => ({ ...row, isSeen: packets > 0 })),
    }
  })
  const { budgets: _, ...identity } = rest
  return { ...identity, captures: plain }
}

function reported({ metadata }: PacketCapture, element: CaptureStatusElement): ReportedCapture {
  const { isListed, isRejected, isHostNetworked: _, problems, ...file } = element
  const { namespace, name, uid, generation } = metadata
  return {
    api: 'PacketCapture',
    namespace,
    name,
    uid,
    observedGeneration: generation,
    isListed,
    isRejected,
    problems,
    file,
  }
}

// What can be done without goes first: rows of pods that are gone, then the names of files, then all rows. Totals stay.
const cuts: readonly ((file: FileStatus) => FileStatus)[] = [
  file => file,
  file => ({ ...file, endpoints: file.endpoints.filter(({ endedAt }) => endedAt === undefined) }),
  file => ({
    ...file,
    endpoints: file.endpoints.filter(({ endedAt }) => endedAt === undefined).map(row => ({ ...row, gaps: row.gaps.slice(-1) })),
    fileNames: file.fileNames.slice(-100),
  }),
  file => ({ ...file, endpoints: [], fileNames: file.fileNames.slice(-10) }),
  file => ({ ...file, endpoints: [], fileNames: [], ...(file.message !== undefined && { message: file.message.slice(0, 200) }) }),
]

function bounded(report: Report): Report {
  const tried = cuts.map((cut, index) => ({
    ...report,
    captures: report.captures.map(capture => ({ ...capture, file: cut(capture.file) })),
    truncated: index > 0,
  }))
  const least = tried.at(-1) ?? report
  const fitting = tried.find(each => bytesOf(each) <= bytesMax)
  if (fitting) return fitting
  const share = Math.floor(least.captures.length * (bytesMax / bytesOf(least)))
  return { ...least, captures: least.captures.slice(0, share) }
}

function bytesOf(report: Report): number {
  return Buffer.byteLength(JSON.stringify(report))
}
