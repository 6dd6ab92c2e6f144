// Formats the table that `watch` redraws: a row per capture with a bar towards its limit or its
// end. Pure. In: captures, the time, the terminal's width. Out: text.

import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { table } from '../../cmd/table.ts'
import { ageOf } from '../../core/status/age.ts'
import { stateCell } from './printer.ts'
import { sizeText } from './sizes.ts'

const barCells = { least: 6, most: 20 } as const
const between = 3 // spaces between columns, also before the progress

export function liveTable(
  captures: readonly ShownCapture[],
  nowMs: number,
  columns: number,
): string {
  if (captures.length === 0) return 'No captures\n'
  const rows = captures.map(capture => [
    capture.metadata.name,
    capture.status?.state ?? 'Pending',
    ...countsOf(capture),
  ])
  const heads = ['NAME', 'STATE', 'PODS', 'PACKETS', 'BYTES', 'DROPPED']
  const [head = '', ...lines] = table([heads, ...rows])
    .trimEnd()
    .split('\n')
  const width = Math.max(head.length, ...lines.map(({ length }) => length)) + between
  // Narrower than the terminal: a wrapped line would take two rows when the cursor moves up.
  const cut = (line: string, progress: string) =>
    `${line.padEnd(width)}${progress}`.trimEnd().slice(0, columns - 1)
  const at = head.indexOf('STATE')
  const shown = lines.map((line, index) => {
    const capture = captures[index] as ShownCapture
    return withColour(cut(line, progressCell(capture, nowMs, columns - 1 - width)), at, capture)
  })
  return `${[cut(head, 'PROGRESS'), ...shown].join('\n')}\n`
}

function withColour(line: string, at: number, { status }: ShownCapture): string {
  const end = at + (status?.state.length ?? 0)
  return status === undefined || line.length < end
    ? line
    : line.slice(0, at) + stateCell(status.state) + line.slice(end)
}

function countsOf({ status }: ShownCapture): string[] {
  return status
    ? [`${status.endpoints}`, `${status.packets}`, sizeText(status.bytes), `${status.dropped}`]
    : ['', '', '', '']
}

/** The progress from 0 to 1, and its goal; undefined: the capture has neither limit nor end. */
export type Progress = { readonly share: number; readonly towards: string }

/** Limits are per node, so this is the progress of the node closest to its limit. */
export function progressOf(
  { spec, status, metadata }: ShownCapture,
  nowMs: number,
): Progress | undefined {
  const { packets, bytes } = spec.limits ?? {}
  const most = (count: 'packets' | 'bytes') =>
    Math.max(0, ...(status?.files.map(file => file[count]) ?? []))
  const startMs = Date.parse(spec.startTime ?? metadata.creationTimestamp)
  const endMs = spec.endTime === undefined ? undefined : Date.parse(spec.endTime)
  const all: Progress[] = [
    ...(packets
      ? [{ share: most('packets') / packets, towards: `${most('packets')} of ${packets} packets` }]
      : []),
    ...(bytes
      ? [
          {
            share: most('bytes') / bytes,
            towards: `${sizeText(most('bytes'))} of ${sizeText(bytes)}`,
          },
        ]
      : []),
    ...(endMs === undefined
      ? []
      : [
          { share: (nowMs - startMs) / (endMs - startMs), towards: `${ageOf(endMs - nowMs)} left` },
        ]),
  ]
  const [first] = all.toSorted((a, b) => b.share - a.share)
  return first && { ...first, share: Math.min(1, Math.max(0, first.share)) }
}

function progressCell(capture: ShownCapture, nowMs: number, columns: number): string {
  if (capture.status?.state === 'Finished') return 'done'
  const startMs = Date.parse(capture.spec.startTime ?? '')
  if (startMs > nowMs) return `begins in ${ageOf(startMs - nowMs)}`
  const progress = progressOf(capture, nowMs)
  if (!progress) return ''
  const cells = Math.min(barCells.most, columns - progress.towards.length - 3)
  return cells < barCells.least
    ? progress.towards
    : `${progress.towards} ${bar(progress.share, cells)}`
}

export function bar(share: number, cells: number): string {
  const full = Math.round(share * cells)
  return `[${'#'.repeat(full)}${'-'.repeat(cells - full)}]`
}
