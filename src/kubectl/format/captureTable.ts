// PacketCaptures as a table with kubectl's columns. Pure. In: captures, the time. Out: text, with
// the state in colour on a terminal.
import {
  columnCells,
  columnNames,
  type ShownCapture,
} from '../../api/packetcapture/printerColumns.ts'
import { table } from '../../cmd/table.ts'
import type { CaptureStateName } from '../../model/status.ts'
import { type OutputFormat, stateCell } from './printer.ts'

export type TableOptions = { readonly allNamespaces?: boolean; readonly output?: OutputFormat }

export function captureTable(
  captures: readonly ShownCapture[],
  { allNamespaces, output }: TableOptions,
  nowMs: number,
): string {
  const isWide = output === 'wide'
  const names = [...(allNamespaces ? ['Namespace'] : []), 'Name', ...columnNames(isWide)]
  const rows = captures.map(capture => [
    ...(allNamespaces ? [capture.metadata.namespace] : []),
    capture.metadata.name,
    ...columnCells(capture, isWide, nowMs),
  ])
  const [head = '', ...lines] = table([names.map(name => name.toUpperCase()), ...rows]).split('\n')
  const at = head.indexOf('STATE')
  return [
    head,
    ...lines.map((line, index) => withColour(line, at, captures[index]?.status?.state)),
  ].join('\n')
}

// Colours are added after the layout, because an escape sequence has a length but no width.
function withColour(line: string, at: number, state: CaptureStateName | undefined): string {
  return state === undefined
    ? line
    : line.slice(0, at) + stateCell(state) + line.slice(at + state.length)
}
