// What tests share to wait and to set a stage: each failure is told, once, with what was found.
import test from 'ava'
import { read } from '../support/repository.ts'
import { shared } from '../support/shared.ts'
import { patienceMs, remains, until, untilFound } from '../support/until.ts'
import { under } from './tree.ts'

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
      /^Waited \d+ s in vain for the sky to fall; found {"state":"up"}\nagent said last:\nline 1\nline 2$/,
  })
})

test('untilFound() gives what it found', async t => {
  let asked = 0
  const look = () => (++asked === 3 ? 'it' : undefined)
  t.is(await untilFound('it', look, { everyMs: 0 }), 'it')
})

test('remains() asks for as long as it is told, and at least twice', async t => {
  let asked = 0
  await remains('silence', 1, () => ++asked, { everyMs: 1 })
  t.true(asked >= 2)
})

test('remains() fails at the first no, and tells what was found', async t => {
  let asked = 0
  const ended = remains('silence', 600_000, () => ++asked < 3, {
    everyMs: 0,
    found: () => 'a word',
  })
  await t.throwsAsync(ended, {
    message: /^Expected silence for 600000 ms, not after \d+ ms; found "a word"$/,
  })
})

// Each with its reason. test/endure is no test: it runs by the clock.
const mayWait: Readonly<Record<string, string>> = {
  'test/support/until.ts': 'the one helper',
  'test/support/kube/gatewayClient.ts': 'a gateway does not tell which reports it has heard of',
  'test/support/kube/proxy.ts': 'a server that answers late',
  'test/integration/kube/controller/killed.test.ts': 'a pace of traffic, and a random moment',
  'test/integration/kube/gateway/limits.test.ts': 'a reader that is slow',
  'test/integration/kube/informer/informer.test.ts': 'a pace of broken connections',
}

function waits(text: string): boolean {
  return /setTimeout( as \w+)? \} from 'node:timers\/promises'|resolve => setTimeout\(resolve/.test(
    text,
  )
}

test('waits() sees a wait of a fixed time', t => {
  t.true(waits("import { setTimeout as after } from 'node:timers/promises'"))
  t.true(waits('await new Promise(resolve => setTimeout(resolve, 5))'))
  t.false(waits("import { setImmediate as afterOthers } from 'node:timers/promises'"))
})

test('no test waits for a fixed time: until() waits for what has to happen, remains() for what must not', t => {
  const waiting = under(
    'test/unit',
    'test/worlds',
    'test/repo',
    'test/integration',
    'test/support',
  ).filter(
    file => file.endsWith('.ts') && file !== 'test/repo/waiting.test.ts' && waits(read(file)),
  )
  t.deepEqual(waiting.toSorted(), Object.keys(mayWait).toSorted())
})

test('patienceMs() is a minute at least and four at most', t => {
  t.true(patienceMs() >= 60_000 && patienceMs() <= 240_000)
})
