// Reads how much a Retina Capture keeps. Pure. In: maxCaptureSize and fileCount, the node's
// settings. Out: limits and rotation. Without fileCount the size is a limit in MiB on all files of
// the node, and ends the capture. With fileCount it is the size of each file in MB, and the oldest
// file is deleted: as in Retina and tcpdump. Throws RangeError.
import type { Limits, Rotation } from '../../model/capture.ts'
import type { Settings } from '../../model/settings.ts'

export type CaptureSize = {
  readonly maxCaptureSize?: number | null
  readonly fileCount?: number | null
}

export type ReadSize = {
  readonly limits: Limits
  readonly rotation: Rotation
  readonly notes: readonly string[]
}

const forEverMs = 3_153_600_000_000
const filesKept = 1_000 // no file is deleted: a restart of the agent begins another file

export function readSize(
  { maxCaptureSize, fileCount }: CaptureSize,
  { captureDiskBytesMax }: Settings,
): ReadSize {
  const size = whole('captureOption.maxCaptureSize', maxCaptureSize ?? 0, 0)
  if (fileCount === undefined || fileCount === null) {
    const bytes = size * 1_024 * 1_024
    const rotation = {
      fileBytesMax: captureDiskBytesMax,
      fileAgeMsMax: forEverMs,
      filesMax: filesKept,
    }
    return { limits: size === 0 ? {} : { bytes }, rotation, notes: [] }
  }
  const count = whole('captureOption.fileCount', fileCount, 1)
  if (size === 0)
    throw new RangeError('fileCount requires maxCaptureSize to be set as per-file size limit')
  const bytes = size * 1_000_000
  const fileBytesMax = Math.max(1, Math.min(bytes, Math.floor(captureDiskBytesMax / count)))
  const note = `maxCaptureSize is ${fileBytesMax} bytes here: ${count} files of ${bytes} are more than captureDiskBytesMax ${captureDiskBytesMax}`
  return {
    limits: {},
    rotation: { fileBytesMax, fileAgeMsMax: forEverMs, filesMax: count - 1 },
    notes: fileBytesMax < bytes ? [note] : [],
  }
}

function whole(field: string, value: number, least: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= 1_000_000_000) return value
  throw new RangeError(`${field}: found ${value}, expected a whole number of at least ${least}`)
}
