import test from 'ava'
import { type Permit, RateLimiter } from '../../../src/gateway/rateLimiter.ts'

const limits = { atOncePerUser: 2, atOnce: 3, perMinute: 4 }
const isIn = (entry: Permit): boolean => 'leave' in entry
const leave = (entry: Permit): void => ('leave' in entry ? entry.leave() : undefined)
const enter = (gate: RateLimiter, users: string, nowMs = 0): boolean[] =>
  [...users].map(user => isIn(gate.admit(user, nowMs)))

for (const [users, expected, why] of [
  ['aaa', [true, true, false], 'so many of one user'],
  ['aabb', [true, true, true, false], 'so many of all'],
  ['aaab', [true, true, false, true], 'one user who is refused keeps no other out'],
] as const) {
  test(`admit() lets in ${why} (${users})`, t =>
    t.deepEqual(enter(new RateLimiter(limits), users), [...expected]))
}

test('admit() says whose limit it was', t => {
  const gate = new RateLimiter(limits)
  enter(gate, 'aa')
  t.deepEqual(gate.admit('a', 0), { waitSeconds: 5, reason: 'TooManyOfUser' })
  enter(gate, 'b')
  t.deepEqual(gate.admit('c', 0), { waitSeconds: 5, reason: 'TooManyOfAll' })
})

test('admit() lets in again whoever has left, once for each', t => {
  const gate = new RateLimiter(limits)
  const first = gate.admit('a', 0)
  t.deepEqual(enter(gate, 'aa'), [true, false])
  leave(first)
  leave(first)
  t.deepEqual(enter(gate, 'aa'), [true, false])
})

test('admit() counts the last minute, and says how long to wait', t => {
  const gate = new RateLimiter(limits)
  for (const atMs of [0, 1_000, 2_000, 3_000]) leave(gate.admit('a', atMs))
  t.deepEqual(gate.admit('a', 4_000), { waitSeconds: 56, reason: 'TooOften' })
  t.deepEqual(gate.admit('a', 59_900), { waitSeconds: 1, reason: 'TooOften' })
  t.true(isIn(gate.admit('b', 59_900)))
  t.true(isIn(gate.admit('a', 60_000)))
  t.deepEqual(gate.admit('a', 60_000), { waitSeconds: 1, reason: 'TooOften' })
})

test('admit() shuts nobody out when the clock is set back', t => {
  const gate = new RateLimiter(limits)
  for (const atMs of [1e9, 1e9, 1e9, 1e9]) leave(gate.admit('a', atMs))
  t.false(isIn(gate.admit('a', 1e9)))
  t.true(isIn(gate.admit('a', 0)))
})

test('admit() holds the limit for as many users as there are', t => {
  const gate = new RateLimiter({ atOncePerUser: 1, atOnce: 10_000, perMinute: 1 })
  const entries = Array.from({ length: 3_000 }, (_, index) => gate.admit(`user-${index}`, 0))
  t.true(entries.every(isIn))
  entries.forEach(leave)
  t.false(isIn(gate.admit('user-0', 1)))
  t.true(isIn(gate.admit('user-0', 60_000)))
})
