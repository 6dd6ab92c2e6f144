// Terms as leader on a Lease in memory: when a controller begins, when it must stop, and what it
// leaves. Time is a test's own, also performance.now(); how processes take over from one another is
// in test/integration/kube/controller.
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { type Leadership, runAsLeader } from '../../../src/controller/leaderElection.ts'
import type { Kube } from '../../../src/kube/request.ts'
import type { Logger } from '../../../src/runtime/log.ts'
import { HandClock } from '../../support/handClock.ts'

type Spec = {
  readonly holderIdentity: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}

/** An API server that has one Lease, and refuses to write over a newer one. */
class LeaseServer {
  spec: Spec | undefined
  isDown = false
  #version = 0

  hold(spec: Spec): void {
    this.spec = spec
    this.#version++
  }

  readonly kube: Kube = async ({ method = 'GET', body = '' }) => {
    if (this.isDown) throw new Error('connection refused')
    const [status, answer] = this.#answer(method, body)
    return Object.assign(Readable.from([Buffer.from(JSON.stringify(answer))]), {
      statusCode: status,
      headers: {},
    }) as unknown as IncomingMessage
  }

  #answer(method: string, body: string): readonly [status: number, answer: object] {
    if (method === 'GET')
      return this.spec
        ? [200, { metadata: { resourceVersion: `${this.#version}` }, spec: this.spec }]
        : [404, {}]
    const { metadata, spec } = JSON.parse(body) as {
      readonly metadata: { readonly resourceVersion?: string }
      readonly spec: Spec
    }
    const isConflict =
      method === 'POST' ? this.spec !== undefined : metadata.resourceVersion !== `${this.#version}`
    if (isConflict) return [409, { message: 'conflict' }]
    this.hold(spec)
    return [200, {}]
  }
}

function world(t: ExecutionContext) {
  const clock = new HandClock(Date.UTC(2026, 0, 1))
  const realNow = performance.now
  performance.now = () => clock.now()
  t.teardown(() => {
    performance.now = realNow
  })
  return { clock, server: new LeaseServer(), startMs: clock.now() }
}

/** A controller that works until its term ends. */
function candidate({ clock, server }: { clock: HandClock; server: LeaseServer }, holder: string) {
  const stop = new AbortController()
  const terms: Leadership[] = []
  const log = { info: () => undefined, warn: () => undefined } as unknown as Logger
  const deps = { kube: clock.through(server.kube), clock, log, namespace: 'selcap', holder }
  const done = runAsLeader(deps, stop.signal, async term => {
    terms.push(term)
    await new Promise<void>(resolve =>
      term.signal.addEventListener('abort', () => resolve(), { once: true }),
    )
  })
  const end = async () => {
    stop.abort()
    await done
  }
  return { terms, leads: () => terms.some(({ signal }) => !signal.aborted), end }
}

test.serial('runAsLeader() begins at once and makes the lease when there is none', async t => {
  const given = world(t)
  const one = candidate(given, 'one')
  await given.clock.pass(50)
  t.true(one.leads())
  t.deepEqual(given.server.spec, {
    holderIdentity: 'one',
    leaseDurationSeconds: 15,
    renewTime: '2026-01-01T00:00:00.000000Z',
    acquireTime: '2026-01-01T00:00:00.000000Z',
    leaseTransitions: 0,
  } as Spec)
  await one.end()
})

test.serial('runAsLeader() renews every 3 s, keeps one term and no new acquireTime', async t => {
  const given = world(t)
  const one = candidate(given, 'one')
  await given.clock.pass(30_500)
  t.is(one.terms.length, 1)
  t.true(one.leads())
  t.like(given.server.spec, {
    renewTime: '2026-01-01T00:00:30.000000Z',
    acquireTime: '2026-01-01T00:00:00.000000Z',
    leaseTransitions: 0,
  })
  t.is(one.terms[0]?.heldUntilMs(), given.startMs + 40_000)
  await one.end()
})

test.serial(
  'runAsLeader() never begins while another holder renews, and begins when 15 s passed without a renewal',
  async t => {
    const given = world(t)
    const renew = () => given.server.hold({ holderIdentity: 'other', leaseTransitions: 4 })
    renew()
    const one = candidate(given, 'one')
    for (let passed = 0; passed < 30_000; passed += 10_000) {
      await given.clock.pass(10_000)
      renew()
    }
    t.false(one.leads())
    await given.clock.pass(15_000)
    t.false(one.leads(), 'its last renewal is no older than 15 s')
    await given.clock.pass(8_000)
    t.true(one.leads())
    t.like(given.server.spec, { holderIdentity: 'one', leaseTransitions: 5 })
    await one.end()
  },
)

test.serial(
  'runAsLeader() takes a lease that was released without waiting for its end',
  async t => {
    const given = world(t)
    given.server.hold({ holderIdentity: '', leaseTransitions: 1 })
    const one = candidate(given, 'one')
    await given.clock.pass(50)
    t.true(one.leads())
    await one.end()
  },
)

test.serial(
  'runAsLeader() ends the term 10 s after the last renewal when the API server is away, and begins another later',
  async t => {
    const given = world(t)
    const one = candidate(given, 'one')
    await given.clock.pass(3_100)
    given.server.isDown = true
    await given.clock.pass(9_800)
    t.true(one.leads(), '9.9 s after the renewal')
    await given.clock.pass(200)
    t.false(one.leads(), '10.1 s after it, and before another may begin')
    given.server.isDown = false
    await given.clock.pass(4_000)
    t.is(one.terms.length, 2)
    t.true(one.leads())
    await one.end()
  },
)

test.serial(
  'runAsLeader() ends the term at the next renewal when another one holds the lease, and leaves it to that one',
  async t => {
    const given = world(t)
    const one = candidate(given, 'one')
    await given.clock.pass(100)
    given.server.hold({ holderIdentity: 'other' })
    await given.clock.pass(3_000)
    t.false(one.leads())
    await one.end()
    t.is(given.server.spec?.holderIdentity, 'other')
  },
)

test.serial('runAsLeader() releases the lease at its end, after the work of the term', async t => {
  const given = world(t)
  const one = candidate(given, 'one')
  await given.clock.pass(100)
  await one.end()
  t.false(one.leads())
  t.is(given.server.spec?.holderIdentity, '')
})

test.serial('runAsLeader() makes one leader of two that find the same free lease', async t => {
  const given = world(t)
  given.server.hold({ holderIdentity: '' })
  const [one, two] = [candidate(given, 'one'), candidate(given, 'two')]
  await given.clock.pass(20_000)
  t.deepEqual([one.leads(), two.leads()].toSorted(), [false, true])
  t.is(one.terms.length + two.terms.length, 1)
  await Promise.all([one.end(), two.end()])
})
