// Truncates reports, statuses and messages that would be too large to store. Pure. In: elements of
// status.files, a size in bytes. Out: the same with fewer rows and names; the most informative rows
// stay, and so do the totals.
import type {
  CaptureStateName,
  EndpointStatus,
  FileStatus,
  PacketCaptureStatus,
} from '../../model/status.ts'
import { compareText, pluralize, truncateText } from '../../model/text.ts'

type TruncateStep = {
  readonly rows: number
  readonly ended: number
  readonly names: number
  readonly gaps: number
  readonly characters: number
}

const all = Number.POSITIVE_INFINITY

// The least informative goes first: rows of pods that are gone (except the last, whose end starts
// the ttl), then names of files.
const steps: readonly TruncateStep[] = [
  { rows: all, ended: all, names: all, gaps: all, characters: 4_096 },
  { rows: all, ended: 1, names: all, gaps: all, characters: 4_096 },
  { rows: 100, ended: 1, names: 100, gaps: 1, characters: 1_024 },
  { rows: 10, ended: 1, names: 10, gaps: 1, characters: 200 },
  { rows: 1, ended: 1, names: 1, gaps: 1, characters: 200 },
  { rows: 0, ended: 0, names: 0, gaps: 0, characters: 100 },
]

export const stepCount = steps.length

/** `step` 0 only cuts very long messages. */
export function cut(file: FileStatus, step: number): FileStatus {
  const kept = steps[Math.min(step, stepCount - 1)] as TruncateStep
  const endpoints = rowsWithin(file.endpoints, kept).map(row => ({
    ...row,
    gaps: last(row.gaps, kept.gaps),
    ...withMessage(row, kept),
  }))
  const uploads = file.uploads && { uploads: last(file.uploads, kept.names) }
  return {
    ...file,
    ...withMessage(file, kept),
    fileNames: last(file.fileNames, kept.names),
    ...uploads,
    endpoints,
  }
}

function withMessage(
  { message }: { readonly message?: string },
  { characters }: TruncateStep,
): { readonly message?: string } {
  return message === undefined ? {} : { message: truncateText(message, characters) }
}

function last<T>(list: readonly T[], countMax: number): readonly T[] {
  return countMax === 0 ? [] : list.slice(-countMax)
}

/** Rows of live endpoints first, then the latest that ended; in their original order. */
function rowsWithin(
  rows: readonly EndpointStatus[],
  { rows: rowsMax, ended: endedMax }: TruncateStep,
): readonly EndpointStatus[] {
  if (rows.length <= rowsMax && endedMax === all) return rows
  const ended = rows
    .filter(({ endedAt }) => endedAt !== undefined)
    .toSorted((a, b) => compareText(b.endedAt ?? '', a.endedAt ?? ''))
  const others = rows
    .filter(({ endedAt }) => endedAt === undefined)
    .toSorted((a, b) => rankOf(a.state) - rankOf(b.state))
  const kept = new Set([...others, ...ended.slice(0, endedMax)].slice(0, rowsMax))
  return rows.filter(row => kept.has(row))
}

/** Lower is kept longer: a running capture before a finished one. */
export function rankOf(state: CaptureStateName): number {
  return (['Capturing', 'WaitingForTraffic', 'Error', 'Scheduled', 'Finished'] as const).indexOf(
    state,
  )
}

const statusBytesMax = 999_000 // one megabyte with the note on what was left out; an API server stores objects up to 1.5 MB

/** A status small enough for the API server; the first condition names what was left out. */
export function boundedStatus(status: PacketCaptureStatus): PacketCaptureStatus {
  return withFiles(
    status,
    filesWithin(status.files, files => ({ ...status, files })),
  )
}

/**
 * The files, with as much left out as the status around them needs to be stored. `statusWith`: the
 * status with these files.
 */
export function filesWithin<T extends FileStatus>(
  files: readonly T[],
  statusWith: (files: readonly T[]) => object,
): readonly T[] {
  const cutTo = (step: number) => files.map((file): T => ({ ...file, ...cut(file, step) }))
  for (let step = 0; step < stepCount; step++) {
    const shorter = cutTo(step)
    if (bytesOf(statusWith(shorter)) <= statusBytesMax) return shorter
  }
  const room = statusBytesMax - bytesOf(statusWith([]))
  return withinBytes(cutTo(stepCount - 1), ({ state }) => rankOf(state), room)
}

function withFiles(status: PacketCaptureStatus, files: readonly FileStatus[]): PacketCaptureStatus {
  const rows = files.reduce((count, { endpoints }) => count + endpoints.length, 0)
  const [first, ...others] = status.conditions
  if (!first || (files.length === status.files.length && rows === status.endpoints))
    return { ...status, files }
  const left = `status.files tells of ${files.length} of ${pluralize(status.nodes, 'node')} and ${rows} of ${pluralize(status.endpoints, 'endpoint')}: all would be too large to store`
  const message = [first.message, left].filter(text => text !== '').join('; ')
  return { ...status, conditions: [{ ...first, message }, ...others], files }
}

/** As many items as fit, the lowest ranks first, in their original order. */
export function withinBytes<T>(
  items: readonly T[],
  rank: (item: T) => number,
  bytesMax: number,
): T[] {
  const kept = new Set<T>()
  let bytes = 0 // of those kept
  for (const item of items.toSorted((a, b) => rank(a) - rank(b))) {
    bytes += bytesOf(item) + 1
    if (bytes > bytesMax) break
    kept.add(item)
  }
  return items.filter(item => kept.has(item))
}

export function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value))
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
