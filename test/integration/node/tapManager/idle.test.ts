// What TapManager asks for while no packet comes: a node with hundreds of idle taps must not ask for
// each of them each second.
import { createHook } from 'node:async_hooks'
import type { ExecutionContext } from 'ava'
import { pino } from 'pino'
import type { Driver, DriverTap } from '../../../../src/driver/driver.ts'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { defaultSettings } from '../../../../src/model/settings.ts'
import { type Clock, systemClock } from '../../../../src/runtime/clock.ts'
import { TapManager } from '../../../../src/tap/tapManager.ts'
import { HandClock } from '../../../support/handClock.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { folder, open, row, specFor } from '../../../support/net/tapManagerFixture.ts'
import { until } from '../../../support/until.ts'

const taps = 30

networkTest('TapManager asks the driver for the counts of idle taps every ten seconds', async t => {
  const clock = new HandClock(Date.now())
  const { asked, sender, to, holder } = await idle(t, clock)
  await clock.pass(5_000)
  asked.counters = 0
  await clock.pass(60_000)
  t.true(asked.counters <= taps * 40, `${asked.counters} times`)
  await sender.udp({ ...to, count: 3 })
  await until('the packets', () => row(holder).packets === 3)
})

networkTest('TapManager asks the disk for no file of idle taps', async t => {
  const { asked } = await idle(t, systemClock)
  const requests = { count: 0 }
  const hook = createHook({
    init: (_, kind) => void (kind === 'FSREQPROMISE' && requests.count++),
  })
  const nextChanges = (more: number) => {
    const before = asked.changes
    return until('looks', () => asked.changes >= before + more)
  }
  await nextChanges(4) // the first look at each file
  hook.enable()
  t.teardown(() => hook.disable())
  await nextChanges(8)
  t.true(requests.count > 0 && requests.count < taps * 6, `${requests.count} requests`)
})

async function idle(t: ExecutionContext, clock: Clock) {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const asked = { counters: 0, changes: 0 }
  const holder = await TapManager.open({
    driver: counting(ringDriver(), asked),
    clock,
    node: 'node-0',
    settings: () => ({ ...defaultSettings, captureDir: directory }),
    log: pino({ level: 'silent' }),
  })
  t.teardown(() => holder.stop())
  const pods = Array.from({ length: taps }, (_, index) => `web-${index}`)
  await open(holder, ...pods.map(name => specFor(pod.hostName, { pod: name })))
  return { asked, sender, to: { to: pod.hostAddress, port }, holder }
}

/** The driver, which notes how often it and its taps are asked what they counted. */
function counting(driver: Driver, asked: { counters: number; changes: number }): Driver {
  const of = <T extends object>(object: T, instead: Partial<T>): T =>
    new Proxy(object, {
      get: (target, name) => {
        const value: unknown = Reflect.get(instead, name) ?? Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  const ofTap = (tap: DriverTap): DriverTap =>
    of(tap, {
      counters: () => {
        asked.counters++
        return tap.counters()
      },
    })
  return of(driver, {
    changes: () => {
      asked.changes++
      return driver.changes()
    },
    open: async (spec, onEvent) => ofTap(await driver.open(spec, onEvent)),
  })
}
