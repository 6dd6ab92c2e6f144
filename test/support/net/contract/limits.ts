// Contract: packet and byte limits, exact over all taps of a group.
import type { Driver, LimitGroup, TapEvent } from '../../../../src/driver/driver.ts'
import { until } from '../../until.ts'
import { Capture } from '../capture.ts'
import type { Scope } from '../namespace.ts'
import { makePod } from '../pod.ts'
import { makeSender } from '../sender.ts'
import type { Check } from './contract.ts'

export function limitChecks(check: Check): void {
  check(
    'setLeft() stops two interfaces at exactly that many packets, and goes on when more are allowed',
    async (t, driver) => {
      const group = driver.group()
      group.setLeft({ packets: 100 })
      const pair = await twoCaptures(t, driver, group)
      await pair.send(80)
      await until('all packets', () => settled(pair.captures) === 160)
      t.is(packets(pair.captures), 100)
      t.is(refused(pair.captures), 60)
      await until('the event', () => limitsTold(pair.captures).length > 0)
      t.true(limitsTold(pair.captures).every(limit => limit === 'packets'))
      group.setLeft({ packets: 10 })
      await pair.send(8)
      await until('all packets', () => settled(pair.captures) === 176)
      t.is(packets(pair.captures), 110)
      t.is(recordsOf(pair.captures), 110)
    },
  )

  check(
    'setLeft() tells of the limit with the packet that reaches it, not with the one after',
    async (t, driver) => {
      const group = driver.group()
      group.setLeft({ packets: 10 })
      const pair = await twoCaptures(t, driver, group)
      await pair.send(5)
      await until('the event', () => limitsTold(pair.captures).length > 0)
      await until('the records', () => recordsOf(pair.captures) === 10) // encoded before the event, written after it
      t.is(refused(pair.captures), 0)
    },
  )

  check(
    'setLeft() lets no record go beyond that many bytes over two interfaces',
    async (t, driver) => {
      const group = driver.group()
      group.setLeft({ bytes: 5_000 })
      const pair = await twoCaptures(t, driver, group)
      await pair.send(80)
      await until('all packets', () => settled(pair.captures) === 160)
      await until('the event', () => limitsTold(pair.captures).length > 0)
      t.true(limitsTold(pair.captures).every(limit => limit === 'bytes'))
      t.is(packets(pair.captures), 55) // of 90 bytes each
      t.is(bytes(pair.captures), 55 * 90)
      t.is(recordsOf(pair.captures), 55)
    },
  )

  check('setLeft() without limits lets everything through', async (t, driver) => {
    const group = driver.group()
    group.setLeft({ packets: 1 })
    group.setLeft({})
    const pair = await twoCaptures(t, driver, group)
    await pair.send(20)
    await until('all packets', () => packets(pair.captures) === 40)
    t.is(limitsTold(pair.captures).length, 0)
  })
}

type Pair = { readonly captures: readonly Capture[]; send(count: number): Promise<void> }

/** send() sends that many on each interface, at the same time. */
async function twoCaptures(scope: Scope, driver: Driver, group: LimitGroup): Promise<Pair> {
  const here = await makeSender(scope)
  const pods = await Promise.all([makePod(scope), makePod(scope)])
  const routes = await Promise.all(
    pods.map(async pod => ({ pod, sender: await makeSender(scope, pod.namespace) })),
  )
  const ports = [
    await here.listenUdp(pods[0].hostAddress),
    await here.listenUdp(pods[1].hostAddress),
  ]
  const captures = await Promise.all(
    pods.map(pod =>
      Capture.open(scope, driver, { interfaceName: pod.hostName, filter: 'udp', group }),
    ),
  )
  const send = async (count: number) => {
    await Promise.all(
      routes.map(({ pod, sender }, index) =>
        sender.udp({ to: pod.hostAddress, port: ports[index] ?? 0, count }),
      ),
    )
  }
  return { captures, send }
}

function sum(captures: readonly Capture[], of: (capture: Capture) => number): number {
  return captures.reduce((total, capture) => total + of(capture), 0)
}
const packets = (captures: readonly Capture[]): number =>
  sum(captures, ({ tap }) => tap.counters().packets)
const bytes = (captures: readonly Capture[]): number =>
  sum(captures, ({ tap }) => tap.counters().bytes)
const settled = (captures: readonly Capture[]): number => sum(captures, capture => capture.settled)
const refused = (captures: readonly Capture[]): number =>
  sum(captures, ({ tap }) => tap.counters().refused)
const recordsOf = (captures: readonly Capture[]): number =>
  sum(captures, capture => capture.records().length)

function limitsTold(captures: readonly Capture[]): string[] {
  const isLimit = (event: TapEvent) => event.kind === 'limit'
  return captures.flatMap(({ events }) => events.filter(isLimit).map(({ limit }) => limit))
}
