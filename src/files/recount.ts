// Brings a row that a crash left open up to what its files hold: everything beyond what was counted when the state was last
// stored was captured too, in the file that was active then and in those that followed it.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { rotatedOf } from './names.ts'
import { repairFiles } from './repair.ts'
import type { StoredEndpoint } from './stateFile.ts'

/** Cuts torn tails off on the way. A row that was closed in order, with its file as it was then, is left as it is. */
export async function recounted(directory: string, row: StoredEndpoint, savedAtMs: number): Promise<StoredEndpoint> {
  const { active, facts, closed } = row
  if (!active || (closed !== undefined && statSync(join(directory, active.name), { throwIfNoEntry: false })?.size === active.bytes))
    return row
  const names = [...rotatedOf(active.name, readdirSync(directory)), active.name]
  const inodeOf = (name: string) => statSync(join(directory, name), { throwIfNoEntry: false })?.ino
  const counted = names.findIndex(name => inodeOf(name) === active.inode)
  const repaired = await repairFiles(directory, names.slice(Math.max(0, counted)))
  const total = (pick: 'records' | 'recordBytes') => repaired.reduce((sum, { scan }) => sum + scan[pick], 0)
  const more = (pick: 'records' | 'recordBytes', before: number) => Math.max(0, total(pick) - (counted === -1 ? 0 : before))
  if (closed !== undefined) return row
  const packets = more('records', active.packets)
  const grown = {
    packets: facts.packets + packets,
    bytes: facts.bytes + more('recordBytes', active.recordBytes),
    received: facts.received + packets,
  }
  return { facts: { ...facts, ...grown, endedAtMs: facts.endedAtMs ?? savedAtMs }, active, closed: 'stopping' }
}
