// Names of capture files. Active: {pod}_{interface}.{format}; rotated: the same with the time of rotation, which sorts.
// A pod's name may be as long as a whole file name: it is then cut, and a hash keeps it apart from others.
import { createHash } from 'node:crypto'
import type { Format } from '../model/capture.ts'

const nameBytesMax = 255 // of most file systems
const longestRest = '_'.length + 15 + '-20260101T000000.000Z'.length + '.pcapng'.length + '..next00'.length

export type SeriesName = { readonly pod: string; readonly interfaceName: string; readonly format: Format }

export function activeName(series: SeriesName): string {
  return `${stem(series)}.${series.format}`
}

export function rotatedName(series: SeriesName, atMs: number): string {
  return `${stem(series)}-${stamp(atMs)}.${series.format}`
}

/** A file that waits to become the active one; hidden, so that nobody takes it for a capture. */
export function waitingName(series: SeriesName, number: number): string {
  return `.${activeName(series)}.next${number}`
}

export function isWaiting(name: string): boolean {
  return /^\..+\.pcap(ng)?\.next\d+$/.test(name)
}

export function isCaptureFile(name: string): boolean {
  return /^[^.].*\.pcap(ng)?$/.test(name)
}

/** Which of these are rotated files of the series, the oldest first. */
export function rotatedOf(series: SeriesName, names: readonly string[]): string[] {
  const start = `${stem(series)}-`
  const end = /^\d{8}T\d{6}\.\d{3}Z\.pcap(ng)?$/ // whatever the format was then
  return names.filter(name => name.startsWith(start) && end.test(name.slice(start.length))).toSorted()
}

/** When a rotated file got its name, milliseconds since the epoch. */
export function rotatedAtMs(name: string): number {
  const [, date, hours, minutes, seconds] = /-(\d{4}\d{2}\d{2})T(\d{2})(\d{2})(\d{2}\.\d{3})Z\.pcap(?:ng)?$/.exec(name) ?? []
  return date === undefined
    ? Number.NaN
    : Date.parse(`${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${hours}:${minutes}:${seconds}Z`)
}

function stem({ pod, interfaceName }: SeriesName): string {
  const longest = nameBytesMax - longestRest
  if (pod.length <= longest) return `${pod}_${interfaceName}`
  const hash = createHash('sha256').update(pod).digest('hex').slice(0, 12)
  return `${pod.slice(0, longest - 13)}-${hash}_${interfaceName}`
}

function stamp(atMs: number): string {
  return new Date(atMs).toISOString().replaceAll(/[-:]/g, '')
}
