import test from 'ava'
import { retinaEventsFor } from '../../../../src/api/retina/events.ts'
import type { RetinaCondition, RetinaStatus } from '../../../../src/api/retina/status.ts'

const dates = { lastTransitionTime: '2026-01-02T03:04:05Z', observedGeneration: 1 }
const active: RetinaCondition = {
  type: 'complete',
  status: 'False',
  reason: 'JobsInProgress',
  message: '1 of 2',
  ...dates,
}
const complete: RetinaCondition = {
  type: 'complete',
  status: 'True',
  reason: 'JobsCompleted',
  message: 'all 2',
  ...dates,
}
const failed: RetinaCondition = {
  type: 'error',
  status: 'True',
  reason: 'RunJobFailed',
  message: 'one failed',
  ...dates,
}

function status(...conditions: readonly RetinaCondition[]): RetinaStatus {
  return { conditions, startTime: dates.lastTransitionTime, files: [] }
}

test('retinaEventsFor() makes an Event of each condition of a first status, and a warning of an error', t => {
  t.deepEqual(retinaEventsFor(undefined, status(active, failed)), [
    { reason: 'JobsInProgress', type: 'Normal', message: '1 of 2' },
    { reason: 'RunJobFailed', type: 'Warning', message: 'one failed' },
  ])
})

test('retinaEventsFor() makes an Event only of a condition with another reason or status', t => {
  const completed = { reason: 'JobsCompleted', type: 'Normal', message: 'all 2' } as const
  t.deepEqual(retinaEventsFor(status(active, failed), status(complete, failed)), [completed])
  t.deepEqual(retinaEventsFor(status({ ...complete, status: 'False' }), status(complete)), [
    completed,
  ])
})

test('retinaEventsFor() makes no Event of a condition whose message or time changed alone', t => {
  const later = {
    message: '2 of 2',
    lastTransitionTime: '2026-01-02T03:04:06Z',
    observedGeneration: 2,
  }
  t.deepEqual(retinaEventsFor(status(active), status({ ...active, ...later })), [])
})

test('retinaEventsFor() makes no Event of a condition that is gone, and reads a status without conditions', t => {
  t.deepEqual(retinaEventsFor(status(active, failed), status(active)), [])
  t.deepEqual(retinaEventsFor({}, status(complete)), [
    { reason: 'JobsCompleted', type: 'Normal', message: 'all 2' },
  ])
})
