// The names of capture files. In: pod, interface and format. Out: {pod}_{interface}.{format} for
// the active file, the same with the time of rotation for others. A pod's name may be as long as a
// file name may be: it is then cut, and a hash keeps two pods apart.
import { createHash } from 'node:crypto'
import type { Format } from '../model/capture.ts'

const nameBytesMax = 255 // of most file systems
const suffixBytesMax =
  '_'.length + 15 + '-20260101T000000.000Z'.length + '.pcapng'.length + '..next00'.length

export type SeriesName = {
  readonly pod: string
  readonly interfaceName: string
  readonly format: Format
}

export function activeName(series: SeriesName): string {
  return `${stem(series)}.${series.format}`
}

/** A file that waits to become the active one; hidden, so that no one reads it as a capture. */
export function waitingName(series: SeriesName, number: number): string {
  return `.${activeName(series)}.next${number}`
}

export function isWaiting(name: string): boolean {
  return /^\..+\.pcap(ng)?\.next\d+$/.test(name)
}

export function isCaptureFile(name: string): boolean {
  return /^[^.].*\.pcap(ng)?$/.test(name)
}

/** The name of the active file that a waiting one replaces. */
export function awaitedName(waiting: string): string {
  return waiting.slice(1).replace(/\.next\d+$/, '')
}

/** The rotated files of the series among these names, the oldest first, in either format. */
export function rotatedOf(active: string, names: readonly string[]): string[] {
  const start = `${withoutFormat(active)}-`
  const end = /^\d{8}T\d{6}\.\d{3}Z\.pcap(ng)?$/
  return names
    .filter(name => name.startsWith(start) && end.test(name.slice(start.length)))
    .toSorted()
}

/**
 * The name of the active file when it is rotated at that time; it sorts after all of `names` even
 * if the clock was set back.
 */
export function rotatedName(active: string, atMs: number, names: readonly string[]): string {
  const last = rotatedOf(active, names).at(-1)
  return stampedName(
    active,
    Math.max(Math.round(atMs), last === undefined ? 0 : rotatedAtMs(last) + 1),
  )
}

/** The same with a time in whole milliseconds that is known to sort after the others. */
export function stampedName(active: string, stampMs: number): string {
  const stamp = new Date(stampMs).toISOString().replaceAll(/[-:]/g, '')
  return `${withoutFormat(active)}-${stamp}${active.slice(withoutFormat(active).length)}`
}

/** Whose file it is, as far as its name tells: a long pod's name is cut. */
export function endpointOf(name: string): Omit<SeriesName, 'format'> {
  const series = withoutFormat(name).replace(/-\d{8}T\d{6}\.\d{3}Z$/, '')
  const [pod = '', ...interfaceName] = series.split('_')
  return { pod, interfaceName: interfaceName.join('_') }
}

/** When a rotated file got its name, milliseconds since the epoch. */
export function rotatedAtMs(name: string): number {
  const [, date, hours, minutes, seconds] =
    /-(\d{4}\d{2}\d{2})T(\d{2})(\d{2})(\d{2}\.\d{3})Z\.pcap(?:ng)?$/.exec(name) ?? []
  return date === undefined
    ? Number.NaN
    : Date.parse(
        `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${hours}:${minutes}:${seconds}Z`,
      )
}

function stem({ pod, interfaceName }: SeriesName): string {
  const longest = nameBytesMax - suffixBytesMax
  if (pod.length <= longest) return `${pod}_${interfaceName}`
  const hash = createHash('sha256').update(pod).digest('hex').slice(0, 12)
  return `${pod.slice(0, longest - 13)}-${hash}_${interfaceName}`
}

function withoutFormat(name: string): string {
  return name.replace(/\.pcap(ng)?$/, '')
}
