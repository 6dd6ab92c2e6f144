// Contract: interfaces that come and go, what is refused and how, and that everything is let go.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { LinkChange } from '../../../../src/driver/driver.ts'
import { TapError } from '../../../../src/model/errors.ts'
import { numberOf } from '../../pcap/frames.ts'
import { until } from '../../until.ts'
import { Capture } from '../capture.ts'
import { makePod } from '../pod.ts'
import { inside, run } from '../run.ts'
import { makeSender } from '../sender.ts'
import type { Check, StatedLimits } from './contract.ts'
import { range } from './packets.ts'

export function linkChecks(check: Check, lacks: StatedLimits): void {
  const watching: Check = lacks.has('watching')
    ? title => test.skip(`${title} (/sys belongs to another network namespace)`, () => {})
    : check

  watching(
    'open() tells that the interface was set down, each time, and goes on when it is up again',
    async (t, driver) => {
      const pod = await makePod(t)
      const sender = await makeSender(t, pod.namespace)
      const here = await makeSender(t)
      const port = await here.listenUdp(pod.hostAddress)
      const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'udp' })
      for (const round of [1, 2]) {
        await sender.udp({ to: pod.hostAddress, port, count: 10, first: round * 10 })
        await capture.holds(round * 10)
        await pod.setDown()
        await until(
          `down, ${round}`,
          () => capture.events.filter(({ kind }) => kind === 'down').length === round,
        )
        await pod.setUp()
      }
      await sender.udp({ to: pod.hostAddress, port, count: 10, first: 30 })
      await capture.holds(30)
      const counters = await capture.close()
      t.deepEqual(capture.records().map(({ bytes }) => numberOf(bytes)), range(10, 40)) // biome-ignore format: one line
      t.like(counters, { received: 30, packets: 30 })
    },
  )

  check(
    'open() tells that the interface has gone; close() then ends, and the name can be opened again when it is back',
    async (t, driver) => {
      const pod = await makePod(t)
      const sender = await makeSender(t, pod.namespace)
      const here = await makeSender(t)
      const capture = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'udp' })
      await sender.udp({
        to: pod.hostAddress,
        port: await here.listenUdp(pod.hostAddress),
        count: 10,
      })
      await pod.remove()
      await capture.told('down')
      t.like(await capture.close(), { received: 10, packets: 10 }) // those before it went
      await pod.create()
      const again = await Capture.open(t, driver, { interfaceName: pod.hostName, filter: 'udp' })
      await sender.udp({
        to: pod.hostAddress,
        port: await here.listenUdp(pod.hostAddress),
        count: 10,
      })
      await again.holds(10)
      t.is(capture.records().length, 10)
    },
  )

  check('close() lets the interface and the namespace go', async (t, driver) => {
    const pod = await makePod(t)
    const here = await Capture.open(t, driver, { interfaceName: pod.hostName })
    const within = await Capture.open(t, driver, {
      interfaceName: 'eth0',
      netns: pod.namespace.path,
    })
    t.is(packetSockets(pod.hostIndex), 1)
    await Promise.all([here.close(), within.close()])
    await noSockets(pod.hostIndex)
    await pod.namespace.close()
    await until('the end of the veth', () => exists(pod.hostName).then(does => !does))
    t.pass()
  })

  check('[Symbol.asyncDispose]() closes what is open', async (t, driver) => {
    const pod = await makePod(t)
    await Promise.all(
      range(0, 3).map(() => Capture.open(t, driver, { interfaceName: pod.hostName })),
    )
    t.is(packetSockets(pod.hostIndex), 3)
    await driver[Symbol.asyncDispose]()
    await noSockets(pod.hostIndex)
  })

  for (const bad of ['tcp and and', 'port', 'udp )']) {
    check(
      `compile() and open() refuse with libpcap's words when the filter is "${bad}"`,
      async (t, driver) => {
        const pod = await makePod(t)
        const expected = { instanceOf: TapError, code: 'BAD_FILTER', message: /syntax error/ }
        await t.throwsAsync(driver.compile(bad, 262_144), expected)
        await t.throwsAsync(
          Capture.open(t, driver, { interfaceName: pod.hostName, filter: bad }),
          expected,
        )
        await noSockets(pod.hostIndex)
      },
    )
  }

  check(
    'compile() tells the number of instructions when the filter is right',
    async (t, driver) => {
      for (const filter of ['', 'tcp port 80', 'vlan 5 and ip6']) {
        const instructions = await driver.compile(filter, 262_144)
        t.is(instructions > 0, !lacks.has('instructions'), filter)
      }
    },
  )

  check('open() refuses when there is no such interface', async (t, driver) => {
    await t.throwsAsync(Capture.open(t, driver, { interfaceName: 'sc-nowhere' }), { instanceOf: TapError, code: 'NO_INTERFACE', message: /sc-nowhere/ }) // biome-ignore format: one line
  })

  check('open() and links() refuse when there is no such network namespace', async (t, driver) => {
    const expected = { instanceOf: TapError, code: 'NO_NAMESPACE', message: /netns-nowhere/ }
    await t.throwsAsync(
      Capture.open(t, driver, { interfaceName: 'eth0', netns: '/run/netns-nowhere' }),
      expected,
    )
    await t.throwsAsync(driver.links('/run/netns-nowhere'), expected)
  })

  check('open() refuses when capturing is not permitted', async (t, driver) => {
    const pod = await makePod(t)
    const script = fileURLToPath(new URL('../openChild.ts', import.meta.url))
    const without = [
      '--bounding-set=-net_raw,-sys_admin',
      '--inh-caps=-net_raw,-sys_admin',
      process.execPath,
    ]
    t.regex(
      await run('setpriv', [...without, script, driver.name, pod.hostName]),
      /^NOT_PERMITTED /,
    )
  })

  watching(
    'links() lists the interfaces here and in another network namespace',
    async (t, driver) => {
      const pod = await makePod(t)
      const own = async () => (await driver.links()).find(({ name }) => name === pod.hostName)
      await until('an address', async () => ((await own())?.addresses.length ?? 0) > 0) // Node shows them once the carrier is told
      const here = await own()
      t.like(here, {
        name: pod.hostName,
        index: pod.hostIndex,
        isUp: true,
        mtu: 1_500,
        addresses: [pod.hostAddress],
      })
      const within = await driver.links(pod.namespace.path)
      t.deepEqual(within.map(({ name }) => name).toSorted(), ['eth0', 'lo'])
      const eth0 = within.find(({ name }) => name === 'eth0')
      t.like(eth0, { isUp: true, addresses: [pod.podAddress] })
      if (lacks.has('peers')) t.like(eth0, { index: 0, peerIndex: undefined })
      else t.like(eth0, { kind: 'veth', mtu: 1_500, peerIndex: pod.hostIndex })
    },
  )

  watching('watchLinks() tells what becomes of an interface', async (t, driver) => {
    const changes: LinkChange[] = []
    using _ = driver.watchLinks(change => changes.push(change))
    const pod = await makePod(t)
    const first = pod.hostIndex
    await seen(changes, 'present', first)
    await pod.setDown()
    await seen(changes, 'down', first)
    await pod.setUp()
    await until(
      'present again',
      () => changes.findLast(({ index }) => index === first)?.kind === 'present',
    )
    await pod.remove()
    await seen(changes, 'gone', first)
    await pod.create()
    await seen(changes, 'present', pod.hostIndex)
    t.not(pod.hostIndex, first)
    t.true(
      changes
        .filter(({ index }) => index === first || index === pod.hostIndex)
        .every(({ name }) => name === pod.hostName),
    )
  })
}

function seen(
  changes: readonly LinkChange[],
  kind: LinkChange['kind'],
  index: number,
): Promise<void> {
  return until(`${kind} of interface ${index}`, () =>
    changes.some(change => change.kind === kind && change.index === index),
  )
}

/**
 * How many packet sockets are bound to the interface: sk, reference count, type, protocol,
 * interface, …
 */
function packetSockets(index: number): number {
  const lines = readFileSync('/proc/net/packet', 'utf8').trim().split('\n').slice(1)
  return lines.filter(line => Number(line.trim().split(/\s+/)[4]) === index).length
}

function exists(name: string): Promise<boolean> {
  return inside(undefined, 'ip', ['link', 'show', 'dev', name]).then(
    () => true,
    () => false,
  )
}

/** A process that is just being started has copies of all descriptors for a moment. */
function noSockets(index: number): Promise<void> {
  return until('the sockets to go', () => packetSockets(index) === 0)
}
