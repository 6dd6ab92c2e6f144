// The printer columns of a PacketCapture, as its schema names them. Pure. In: the resource and the
// time. Out: names and cells. The program that prints the table adds NAME and NAMESPACE.

import { ageOf } from '../../core/status/age.ts'
import type { PacketCaptureStatus } from '../../model/status.ts'
import type { PacketCapture } from '../../model/world.ts'

export type ShownCapture = PacketCapture & { readonly status?: PacketCaptureStatus }

type Column = {
  readonly name: string
  readonly isWide: boolean
  readonly cell: (capture: ShownCapture, nowMs: number) => string | number | undefined
}

const columns: readonly Column[] = [
  { name: 'Selector', isWide: false, cell: ({ spec }) => spec.selector || 'all()' },
  { name: 'State', isWide: false, cell: ({ status }) => status?.state },
  { name: 'Nodes', isWide: false, cell: ({ status }) => status?.nodes },
  { name: 'Endpoints', isWide: false, cell: ({ status }) => status?.endpoints },
  { name: 'Packets', isWide: false, cell: ({ status }) => status?.packets },
  { name: 'Dropped', isWide: false, cell: ({ status }) => status?.dropped },
  {
    name: 'Age',
    isWide: false,
    cell: ({ metadata }, nowMs) => ageOf(nowMs - Date.parse(metadata.creationTimestamp)),
  },
  { name: 'Start', isWide: true, cell: ({ spec }) => spec.startTime },
  { name: 'End', isWide: true, cell: ({ spec }) => spec.endTime },
  { name: 'Bytes', isWide: true, cell: ({ status }) => status?.bytes },
  {
    name: 'Message',
    isWide: true,
    cell: ({ status }) => status?.conditions.find(({ type }) => type === 'Ready')?.message,
  },
]

export function columnNames(isWide: boolean): string[] {
  return shown(isWide).map(({ name }) => name)
}

/**
 * One cell for each name; '' for a missing value. A message of several lines is joined to one line.
 */
export function columnCells(capture: ShownCapture, isWide: boolean, nowMs: number): string[] {
  return shown(isWide).map(({ cell }) =>
    `${cell(capture, nowMs) ?? ''}`.replaceAll(/\s*\n\s*/g, ' '),
  )
}

function shown(isWide: boolean): Column[] {
  return columns.filter(column => isWide || !column.isWide)
}
