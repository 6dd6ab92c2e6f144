// When a finished capture is removed.
import test from 'ava'
import { expiresAt } from '../../../../src/core/schedule/expiry.ts'
import type { Intent } from '../../../../src/model/capture.ts'
import type { Phase } from '../../../../src/model/decision.ts'

const never = Number.POSITIVE_INFINITY
const intent = (ttlMsAfterFinished?: number, createdAtMs = 0) =>
  ({ createdAtMs, ...(ttlMsAfterFinished !== undefined && { ttlMsAfterFinished }) }) as Intent
const finished: Phase = { kind: 'Finished', cause: 'window', atMs: 1_000, message: '' }
const open: Phase = { kind: 'Open', closesAtMs: never }

const cases: readonly (readonly [
  what: string,
  intent: Intent,
  phase: Phase,
  ends: readonly number[],
  atMs: number,
])[] = [
  ['the end of the window', intent(10_000), finished, [], 11_000],
  ['the last endpoint that ended after it', intent(10_000), finished, [500, 1_700], 11_700],
  ['its creation, when it ended before that', intent(10_000, 60_000), finished, [], 70_000],
  [
    'the last endpoint, when a limit on the nodes ended it in an open window',
    intent(10_000),
    open,
    [500, 1_700],
    11_700,
  ],
  ['at once with a ttl of zero', intent(0), finished, [], 1_000],
]
for (const [what, capture, phase, ends, atMs] of cases)
  test(`expiresAt() is the ttl after ${what}`, t => t.is(expiresAt(capture, phase, ends), atMs))

test('expiresAt() is never without a ttl, while an endpoint has no end, and while nothing ended', t => {
  t.is(expiresAt(intent(), finished, [500]), never)
  t.is(expiresAt(intent(10_000), finished, [500, never]), never)
  t.is(expiresAt(intent(10_000), open, []), never)
})
