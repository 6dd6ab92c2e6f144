// The JSON schema of a state file. In: parsed JSON. Out: whether it has the shape of StoredCapture.
// Another version or a person may have written the file.
import { Ajv, type JSONSchemaType } from 'ajv'
import { apis } from '../model/captureRef.ts'
import type { StoredCapture } from './storedTypes.ts'

const number = { type: 'number' } as const
const text = { type: 'string' } as const
const counts = { packets: number, bytes: number }

function record(required: Record<string, object>, optional: Record<string, object> = {}): object {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
  }
}

const gap = record({ fromMs: number, reason: text }, { toMs: number })
const facts = record(
  {
    name: text,
    uid: text,
    interfaceName: text,
    vantage: { enum: ['HostVeth', 'PodNetns'] },
    ...counts,
    received: number,
    dropped: number,
    refused: number,
    truncated: number,
    gaps: { type: 'array', items: gap },
  },
  { startedAtMs: number, endedAtMs: number, message: text, interfacePackets: number },
)
const active = record(
  {
    name: text,
    inode: number,
    ...counts,
    recordBytes: number,
    received: number,
    dropped: number,
    beganAtMs: number,
    settings: text,
  },
  { firstRecordAtMs: number },
)
const schema = record(
  {
    version: { const: 1 },
    capture: record({ api: { enum: apis }, namespace: text, name: text, uid: text }),
    node: text,
    savedAtMs: number,
    rows: { type: 'array', items: record({ facts }, { active, closed: text }) },
  },
  {
    firstOpenedAtMs: number,
    limitHit: record({ kind: { enum: ['packets', 'bytes'] }, limit: number, atMs: number }),
    halt: record({
      generation: number,
      reason: { enum: ['DiskBudget', 'DiskFloor'] },
      message: text,
      atMs: number,
    }),
    goneRows: record(counts),
    made: record(
      { atMs: number, files: { type: 'array', items: record({ path: text, bytes: number }) } },
      {
        error: text,
        note: text,
        attempts: number,
        isKept: { type: 'boolean' },
        isRemoved: { type: 'boolean' },
      },
    ),
  },
)

export const hasStoredShape = new Ajv().compile<StoredCapture>(
  schema as JSONSchemaType<StoredCapture>,
)
