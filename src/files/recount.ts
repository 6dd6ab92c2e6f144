// Counts what an endpoint's files hold beyond the state file, after a crash. In: an endpoint as it
// was stored, and the files of its directory. Out: the same with the counts of its files: records
// written after the last save are in the file that was active then and in those that followed it.
// Repairs torn files on the way. Which file was active then is told by the times in the names, so
// that a copy of the directory has the same counts.
import type { FileList } from './fileList.ts'
import { rotatedAtMs } from './names.ts'
import { repairFiles } from './repair.ts'
import type { StoredEndpoint } from './storedTypes.ts'

/**
 * An endpoint whose tap was closed, and whose file has the size of that time, is returned as it is.
 */
export async function recounted(
  directory: string,
  list: FileList,
  endpoint: StoredEndpoint,
  savedAtMs: number,
): Promise<StoredEndpoint> {
  const { active, facts, closed } = endpoint
  if (!active || (closed !== undefined && list.sizes.get(active.name) === active.bytes))
    return endpoint
  // A file's rotated name has a later time than the one at which the file began.
  const later = list.rotatedOf(active.name).filter(name => rotatedAtMs(name) > active.beganAtMs)
  const repaired = await repairFiles(directory, [...later, active.name])
  for (const { name, bytes } of repaired) list.set(name, bytes)
  if (closed !== undefined) return endpoint
  const more = (pick: 'records' | 'recordBytes', before: number) =>
    Math.max(0, repaired.reduce((sum, { scan }) => sum + scan[pick], 0) - before)
  const packets = more('records', active.packets)
  const grown = {
    packets: facts.packets + packets,
    bytes: facts.bytes + more('recordBytes', active.recordBytes),
    received: facts.received + packets,
  }
  // What was captured after the last save is in the files: the gap begins at the last record.
  const lastMs = Math.max(savedAtMs, ...repaired.map(({ scan }) => scan.lastRecordAtMs ?? 0))
  return {
    facts: { ...facts, ...grown, endedAtMs: facts.endedAtMs ?? lastMs },
    active,
    closed: 'stopping',
  }
}
