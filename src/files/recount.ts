// Counts what an endpoint's files hold beyond the state file, after a crash. In: an endpoint as it
// was stored, and the files of its directory. Out: the same with the counts of its files: records
// written after the last save are in the file that was active then and in those that followed it.
// Repairs torn files on the way. Which file was active then is told by the times in the names, so
// that a copy of the directory has the same counts.
import type { ActualEndpoint } from '../model/actualState.ts'
import { endpointKey } from '../model/endpoint.ts'
import type { FileList } from './fileList.ts'
import { endpointOf, rotatedAtMs } from './names.ts'
import { type Repaired, repairFiles } from './repair.ts'
import type { StoredCapture, StoredEndpoint } from './storedTypes.ts'

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
  const held = repaired.reduce((sum, { scan }) => sum + scan.records, 0)
  // With rotated files it may have been captureMaxFiles that removed the one that was active then.
  const lost = later.length === 0 ? Math.max(0, active.packets - held) : 0
  const grown = {
    packets: facts.packets + packets,
    bytes: facts.bytes + more('recordBytes', active.recordBytes),
    received: facts.received + packets,
    ...(lost > 0 && { lost: (facts.lost ?? 0) + lost }),
  }
  // What was captured after the last save is in the files: the gap begins at the last record.
  const lastMs = Math.max(savedAtMs, ...repaired.map(({ scan }) => scan.lastRecordAtMs ?? 0))
  return {
    facts: { ...facts, ...grown, endedAtMs: facts.endedAtMs ?? lastMs },
    active,
    closed: 'stopping',
  }
}

/**
 * The endpoints of a state that could not be read: those of its copy, which may be old, and those
 * that the names of files tell. Each has at least what its files hold.
 */
export async function restored(
  directory: string,
  list: FileList,
  { rows, savedAtMs }: StoredCapture,
): Promise<Pick<StoredCapture, 'rows' | 'firstOpenedAtMs'>> {
  const files = await repairFiles(directory, list.names)
  for (const { name, bytes } of files) list.set(name, bytes)
  const named = new Set(
    rows.flatMap(({ facts }) =>
      facts.podInterface === undefined ? [] : `${facts.name}_${facts.interfaceName}`,
    ),
  )
  const byRow = Map.groupBy(files, ({ name }) => {
    const { pod, interfaceName } = endpointOf(name)
    return named.has(`${pod}_${interfaceName}`) ? `${pod}_${interfaceName}` : pod
  })
  const endpoints = new Map<string, StoredEndpoint>()
  for (const row of rows) {
    const { name, podInterface, interfaceName } = row.facts
    const held = byRow.get(podInterface === undefined ? name : `${name}_${interfaceName}`) ?? []
    const counted = await recounted(directory, list, asOpen(row, list), savedAtMs)
    endpoints.set(endpointKey(row.facts), { ...counted, facts: atLeast(counted.facts, held) })
  }
  for (const [pod, held] of byRow)
    if (!named.has(pod) && !endpoints.has(pod)) endpoints.set(pod, endpointOfFiles(pod, held))
  const times = files.flatMap(({ scan }) => scan.firstRecordAtMs ?? [])
  return {
    rows: [...endpoints.values()],
    ...(times.length > 0 && { firstOpenedAtMs: Math.min(...times) }),
  }
}

/** A copy may say closed of an endpoint that was opened again. */
function asOpen(endpoint: StoredEndpoint, list: FileList): StoredEndpoint {
  const { closed: _, ...open } = endpoint
  const { active } = endpoint
  return active && list.sizes.get(active.name) !== active.bytes ? open : endpoint
}

function endpointOfFiles(pod: string, files: readonly Repaired[]): StoredEndpoint {
  const [{ name } = { name: '' }] = files
  const first = files.flatMap(({ scan }) => scan.firstRecordAtMs ?? [])
  const last = files.flatMap(({ scan }) => scan.lastRecordAtMs ?? [])
  const none = { packets: 0, bytes: 0, received: 0, dropped: 0, refused: 0, truncated: 0 }
  const facts: ActualEndpoint = {
    name: pod,
    uid: '',
    interfaceName: endpointOf(name).interfaceName,
    vantage: 'HostVeth', // no file says it; the next tap does
    ...none,
    gaps: [],
    ...(first.length > 0 && { startedAtMs: Math.min(...first), endedAtMs: Math.max(...last) }),
  }
  return { facts: atLeast(facts, files), closed: 'stopping' }
}

function atLeast(facts: ActualEndpoint, files: readonly Repaired[]): ActualEndpoint {
  const packets = files.reduce((sum, { scan }) => sum + scan.records, 0)
  const bytes = files.reduce((sum, { scan }) => sum + scan.recordBytes, 0)
  const more = Math.max(0, packets - facts.packets)
  return {
    ...facts,
    packets: facts.packets + more,
    received: facts.received + more,
    bytes: Math.max(facts.bytes, bytes),
  }
}
