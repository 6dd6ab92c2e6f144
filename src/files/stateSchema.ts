// The JSON schema of a state file. In: parsed JSON. Out: whether it has the shape of StoredCapture.
// Another version or a person may have written the file.
import { Ajv, type JSONSchemaType } from 'ajv'
import { apis } from '../model/captureRef.ts'
import type { StoredCapture } from './storedTypes.ts'

/** Counts and times go into 64 bits of a file's statistics, times as nanoseconds. */
const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const
const time = { type: 'number', minimum: 0, maximum: 18_446_744_073_709 } as const
const text = { type: 'string' } as const
const counts = { packets: count, bytes: count }

function record(required: Record<string, object>, optional: Record<string, object> = {}): object {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
  }
}

const gap = record({ fromMs: time, reason: text }, { toMs: time })
const facts = record(
  {
    name: text,
    uid: text,
    interfaceName: text,
    vantage: { enum: ['HostVeth', 'PodNetns'] },
    ...counts,
    received: count,
    dropped: count,
    refused: count,
    truncated: count,
    gaps: { type: 'array', items: gap },
  },
  {
    podInterface: text,
    startedAtMs: time,
    endedAtMs: time,
    message: text,
    interfacePackets: count,
    lost: count,
  },
)
const active = record(
  {
    name: text,
    inode: { type: 'number' }, // some file systems have greater ones than a number holds exactly
    ...counts,
    recordBytes: count,
    received: count,
    dropped: count,
    beganAtMs: time,
    settings: text,
  },
  { firstRecordAtMs: time },
)
const schema = record(
  {
    version: { const: 1 },
    capture: record({ api: { enum: apis }, namespace: text, name: text, uid: text }),
    node: text,
    savedAtMs: time,
    rows: { type: 'array', items: record({ facts }, { active, closed: text }) },
  },
  {
    firstOpenedAtMs: time,
    limitHit: record({ kind: { enum: ['packets', 'bytes'] }, limit: count, atMs: time }),
    halt: record({
      generation: count,
      reason: { enum: ['DiskBudget', 'DiskFloor'] },
      message: text,
      atMs: time,
    }),
    unreadable: text,
    stateId: text,
    goneRows: record(counts),
    made: record(
      { atMs: time, files: { type: 'array', items: record({ path: text, bytes: count }) } },
      {
        error: text,
        note: text,
        attempts: count,
        isKept: { type: 'boolean' },
        isRemoved: { type: 'boolean' },
      },
    ),
  },
)

export const hasStoredShape = new Ajv().compile<StoredCapture>(
  schema as JSONSchemaType<StoredCapture>,
)
