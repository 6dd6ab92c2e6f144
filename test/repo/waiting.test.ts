// What tests share to wait and to set a stage: each failure is told, once, with what was found.
import test from 'ava'
import { shared } from '../support/shared.ts'
import { patienceMs, until } from '../support/until.ts'

test('shared() makes a stage once for all that ask', async t => {
  let made = 0
  const onStage = shared(async () => ++made)
  t.deepEqual(await Promise.all([onStage(), onStage(), onStage()]), [1, 1, 1])
})

test('shared() makes no second stage when the first fails, and tells why once', async t => {
  let made = 0
  const onStage = shared(async () => {
    made++
    throw new Error('no etcd')
  })
  await t.throwsAsync(onStage, { message: 'no etcd' })
  await t.throwsAsync(onStage, { message: /^Cannot test: the shared stage did not come up/ })
  t.is(made, 1)
})

test('until() asks until it is so', async t => {
  let asked = 0
  await until('three', () => ++asked === 3, { everyMs: 0 })
  t.is(asked, 3)
})

test('until() passes on an error of what it asks', async t => {
  const broken = () => {
    throw new Error('it ended with 1')
  }
  await t.throwsAsync(() => until('it', broken), { message: 'it ended with 1' })
})

test('until() tells what was waited for, what was found and the last lines of processes', async t => {
  const agent = { name: 'agent', tail: () => 'line 1\nline 2' }
  const waiting = until('the sky to fall', () => false, {
    tails: [agent],
    found: () => ({ state: 'up' }),
    limitMs: () => 0,
  })
  await t.throwsAsync(waiting, {
    message:
      /^Waited 0 s in vain for the sky to fall; found {"state":"up"}\nagent said last:\nline 1\nline 2$/,
  })
})

test('patienceMs() is a minute at least and four at most', t => {
  t.true(patienceMs() >= 60_000 && patienceMs() <= 240_000)
})
