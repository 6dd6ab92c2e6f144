// Which statuses say that their capture is over.
import test from 'ava'
import { isOver } from '../../../src/controller/isOver.ts'

type Row = readonly [
  kind: Parameters<typeof isOver>[0]['kind'],
  status: Parameters<typeof isOver>[1],
  expected: boolean,
]

const complete = (status: string) => ({ conditions: [{ type: 'complete', status }] })
const rows: readonly Row[] = [
  ['PacketCapture', undefined, false],
  ['PacketCapture', { observedGeneration: 2, state: 'Finished' }, true],
  ['PacketCapture', { observedGeneration: 1, state: 'Finished' }, false],
  ['PacketCapture', { observedGeneration: 2, state: 'Capturing' }, false],
  ['PacketCaptureConfig', { observedGeneration: 2, phase: 'Completed' }, true],
  ['PacketCaptureConfig', { observedGeneration: 2, phase: 'Failed' }, true],
  ['PacketCaptureConfig', { observedGeneration: 1, phase: 'Completed' }, false],
  ['PacketCaptureConfig', { observedGeneration: 2, phase: 'Running' }, false],
  ['Capture', {}, false],
  ['Capture', complete('True'), true],
  ['Capture', complete('False'), false],
  ['Capture', { conditions: [{ type: 'error', status: 'True' }] }, false],
]
for (const [kind, status, expected] of rows)
  test(`isOver() is ${expected} for a ${kind} with ${JSON.stringify(status)}`, t =>
    t.is(isOver({ kind, metadata: { generation: 2 } }, status), expected))
