// How long to wait after a refusal: jitter, a ceiling, the server's own wish. And what a refusal
// means.
import test from 'ava'
import { ApiRefusal, waitMsAfter } from '../../../src/kube/apiError.ts'

const busy = (retryAfter: string) =>
  new ApiRefusal({ status: 429, said: 'too many requests', path: '/x', retryAfter })

const waits = test.macro({
  exec: (t, error: unknown, failures: number, random: number, expected: number) =>
    t.is(waitMsAfter(error, failures, random), expected),
  title: (_, error, failures, random) =>
    `waitMsAfter() is right after ${failures} failures, with ${random}, and ${error instanceof ApiRefusal ? `Retry-After of ${error.retryAfterMs} ms` : 'no Retry-After'}`,
})
test(waits, new Error('away'), 0, 0, 0)
test(waits, new Error('away'), 0, 1, 500)
test(waits, new Error('away'), 3, 0.5, 2_000)
test(waits, new Error('away'), 6, 1, 30_000)
test(waits, new Error('away'), 100_000, 0.25, 7_500)
test(waits, busy('7'), 0, 0, 7_000)
test(waits, busy('7'), 1, 0.5, 7_500)
test(waits, busy('86400'), 0, 0, 300_000)

test('waitMsAfter() takes a wish that is not a number of seconds for none', t => {
  for (const odd of ['', '-3', 'soon', 'Wed, 21 Oct 2026 07:28:00 GMT', 'NaN'])
    t.is(waitMsAfter(busy(odd), 0, 1), 500, odd)
})

test('isAbsenceOf() is true when the object is gone, not when nobody here knows its kind', t => {
  const answer = (status: number, said: string) => new ApiRefusal({ status, said, path: '/x' })
  t.true(answer(404, 'packetcaptures.projectcalico.org "web" not found').isAbsenceOf('web'))
  t.false(answer(404, 'packetcaptures.projectcalico.org "web-2" not found').isAbsenceOf('web'))
  t.false(answer(404, 'the server could not find the requested resource').isAbsenceOf('web'))
  t.false(answer(403, 'user cannot get "web" not found').isAbsenceOf('web'))
})
