// Counts what an endpoint's files hold beyond the state file, after a crash. In: an endpoint as it
// was stored. Out: the same with the counts of its files: records written after the last save are
// in the file that was active then and in those that followed it. Repairs torn files on the way.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { rotatedOf } from './names.ts'
import { repairFiles } from './repair.ts'
import type { StoredEndpoint } from './storedTypes.ts'

/**
 * An endpoint whose tap was closed, and whose file has the size of that time, is returned as it is.
 */
export async function recounted(
  directory: string,
  endpoint: StoredEndpoint,
  savedAtMs: number,
): Promise<StoredEndpoint> {
  const { active, facts, closed } = endpoint
  if (
    !active ||
    (closed !== undefined &&
      statSync(join(directory, active.name), { throwIfNoEntry: false })?.size === active.bytes)
  )
    return endpoint
  const names = [...rotatedOf(active.name, readdirSync(directory)), active.name]
  const inodeOf = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.ino
  const counted = names.findIndex(name => inodeOf(name) === active.inode)
  const repaired = await repairFiles(directory, names.slice(Math.max(0, counted)))
  const total = (pick: 'records' | 'recordBytes') =>
    repaired.reduce((sum, { scan }) => sum + scan[pick], 0)
  const more = (pick: 'records' | 'recordBytes', before: number) =>
    Math.max(0, total(pick) - (counted === -1 ? 0 : before))
  if (closed !== undefined) return endpoint
  const packets = more('records', active.packets)
  const grown = {
    packets: facts.packets + packets,
    bytes: facts.bytes + more('recordBytes', active.recordBytes),
    received: facts.received + packets,
  }
  return {
    facts: { ...facts, ...grown, endedAtMs: facts.endedAtMs ?? savedAtMs },
    active,
    closed: 'stopping',
  }
}
