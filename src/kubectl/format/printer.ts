// Prints objects as YAML, JSON or names as kubectl does, and adds colour on a terminal.
import { styleText } from 'node:util'
import { Option } from 'commander'
import { stringify } from 'yaml'
import type { CaptureStateName } from '../../model/status.ts'

export type PrintedObject = { readonly kind?: string; readonly metadata: { readonly name: string } }
export type OutputFormat = 'wide' | 'yaml' | 'json' | 'name'

export function outputOption(...formats: readonly OutputFormat[]): Option {
  return new Option('-o, --output <format>', 'output format').choices(formats)
}

/** packetcapture.GROUP/NAME, which kubectl accepts as an argument. */
export function nameOf(group: string, name: string): string {
  return `packetcapture.${group}/${name}`
}

export function printObject(object: object, format: 'yaml' | 'json'): string {
  const shown = withoutManaged(object)
  return format === 'json'
    ? `${JSON.stringify(shown, null, 4)}\n`
    : stringify(shown, { lineWidth: 0, sortMapEntries: true })
}

export function printList(items: readonly object[], format: 'yaml' | 'json'): string {
  return printObject(
    {
      apiVersion: 'v1',
      items: items.map(withoutManaged),
      kind: 'List',
      metadata: { resourceVersion: '' },
    },
    format,
  )
}

type Stream = NodeJS.WritableStream & { readonly isTTY?: boolean }
type Style = Parameters<typeof styleText>[0]

/** Adds colour only if the stream is a terminal with colours. NO_COLOR is honoured. */
export function coloured(style: Style, text: string, stream: Stream = process.stdout): string {
  return stream.isTTY ? styleText(style, text, { stream, validateStream: true }) : text
}

const colours: Readonly<Record<CaptureStateName, Style>> = {
  Scheduled: 'cyan',
  WaitingForTraffic: 'yellow',
  Capturing: 'green',
  Finished: 'gray',
  Error: 'red',
}

export function stateCell(state: CaptureStateName | undefined, padding = 0): string {
  const text = (state ?? 'Pending').padEnd(padding)
  return state === undefined ? text : coloured(colours[state], text)
}

function withoutManaged(object: object): object {
  const { metadata, ...rest } = object as { readonly metadata?: object }
  if (!metadata) return object
  const { managedFields: _, ...kept } = metadata as { readonly managedFields?: unknown }
  return { ...rest, metadata: kept }
}
