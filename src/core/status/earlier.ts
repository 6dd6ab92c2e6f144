// Counts of state files that no node reports any more. Pure. In: the elements of status.files now,
// the previous status. Out: what such files had counted, each once: one that comes back leaves the
// list. Without ids, of earlier versions, nothing is known and nothing is listed.
import type { Counts, EarlierCounts, FileStatus, PacketCaptureStatus } from '../../model/status.ts'
import { addCounts, noCounts } from './counters.ts'

// Those beyond, the oldest, are one sum. It cannot tell which ids are in it, so that one of them that
// comes back is counted twice: exact counts would need an id of each disk for ever.
const listedMax = 100

export function earlierCounts(
  files: readonly FileStatus[],
  previous: PacketCaptureStatus | undefined,
): readonly EarlierCounts[] {
  const here = new Map(files.map(file => [file.node, file]))
  const isHere = ({ node, stateId }: { readonly node: string; readonly stateId: string }) => {
    const file = here.get(node)
    // A node that comes back has no state file before its first tap: it may be another one then.
    return file?.stateId === undefined ? hasCounted(file ?? noCounts) : file.stateId === stateId
  }
  const left = (previous?.files ?? []).flatMap((file): EarlierCounts[] => {
    const { node, stateId, packets, bytes, dropped } = file
    return stateId === undefined ? [] : [{ node, stateId, packets, bytes, dropped }]
  })
  const all = [...(previous?.earlier ?? []), ...left].filter(
    each => !isHere(each) && hasCounted(each),
  )
  if (all.length <= listedMax) return all
  const [oldest, newest] = [all.slice(0, -listedMax + 1), all.slice(-listedMax + 1)]
  return [{ node: '', stateId: '', ...addCounts(oldest) }, ...newest]
}

function hasCounted({ packets, bytes, dropped }: Counts): boolean {
  return packets + bytes + dropped > 0
}

/** Both are known, and the node has another state file: its disk was replaced, or emptied. */
export function isOfOtherState(
  now: Pick<FileStatus, 'stateId'>,
  before: Pick<FileStatus, 'stateId'>,
): boolean {
  return now.stateId !== undefined && before.stateId !== undefined && now.stateId !== before.stateId
}
