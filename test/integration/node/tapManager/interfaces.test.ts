// What is tapped is what was asked for, whatever becomes of names, indexes, namespaces and
// addresses; and what an interface's link type makes of files and filters.
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { TapSpec } from '../../../../src/model/tap.ts'
import type { TapManager } from '../../../../src/tap/tapManager.ts'
import { makePod, type Pod } from '../../../support/net/pod.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { ip, run } from '../../../support/net/run.ts'
import { makeSender } from '../../../support/net/sender.ts'
import {
  close,
  folder,
  holderIn,
  open,
  row,
  specFor,
} from '../../../support/net/tapManagerFixture.ts'
import { makeTun } from '../../../support/net/tun.ts'
import { readRecords } from '../../../support/pcap/captureFile.ts'
import { ipv4, ipv6, numbered, numberOf, tcp, udp } from '../../../support/pcap/frames.ts'
import { until } from '../../../support/until.ts'

const messageOf = (holder: TapManager) => holder.actualState().taps.get('shop/web/web-0')?.message
const isGoingOn = (holder: TapManager) =>
  row(holder).gaps.every(({ toMs }) => toMs !== undefined) && messageOf(holder) === undefined

function filesOf(directory: string, name = 'web'): string[] {
  const folder = join(directory, 'shop', name)
  const files = readdirSync(folder).filter(file => /^[^.].*\.pcap(ng)?$/.test(file))
  return files.toSorted().map(file => join(folder, file))
}

/** The numbers of all packets in the files. */
const numbersIn = (directory: string): (number | undefined)[] =>
  filesOf(directory).flatMap(path =>
    readRecords(readFileSync(path), 'pcap').map(({ bytes }) => numberOf(bytes)),
  )
const fiveFrom = (first: number) => [0, 1, 2, 3, 4].map(each => first + each)

/** Older kernels rename only an interface that is down. */
const rename = (from: string, to: string, netns?: string) =>
  ip([`link set dev ${from} down`, `link set dev ${from} name ${to}`, `link set dev ${to} up`], netns) // biome-ignore format: one line

/** A tap that the engine would open again: a turn for each try that is due. */
async function reopened(holder: TapManager, spec: TapSpec): Promise<void> {
  await until('the tap to be open again', async () => {
    const tap = holder.actualState().taps.get(spec.id)
    if (tap?.state === 'failed' && (tap.retryAtMs ?? 0) <= Date.now()) await open(holder, spec)
    return tap?.state === 'open' && isGoingOn(holder)
  })
}

networkTest(
  'TapManager captures the interface that has the name after the names of two were swapped, and no packet of the other',
  async t => {
    const [a, b] = [await podWithPort(t), await podWithPort(t)]
    const directory = folder(t)
    const holder = await holderIn(t, directory)
    const name = a.pod.hostName
    const send = ({ pod, port, sender }: typeof a, first: number) =>
      sender.udp({ to: pod.hostAddress, port, count: 5, first })
    await open(holder, specFor(name))
    await send(a, 0)
    await until('5 packets', () => row(holder).packets === 5)
    await rename(name, `${name}x`)
    await until('the rename', () => /was renamed|is gone/.test(messageOf(holder) ?? ''))
    await send(a, 100)
    await rename(b.pod.hostName, name)
    await until('the other interface', () => isGoingOn(holder))
    await send(a, 200)
    await send(b, 300)
    await until('10 packets', () => row(holder).packets >= 10)
    await close(holder, specFor(name).id, 'deleted')
    t.deepEqual(numbersIn(directory), [...fiveFrom(0), ...fiveFrom(300)])
    t.true(row(holder).gaps.length > 0)
  },
)

/** A tap within a pod, whose interface is found by its address in a directory of namespaces. */
async function within(t: ExecutionContext) {
  const [directory, namespaces] = [folder(t), folder(t)]
  const first = await podWithPort(t)
  const letGo = await first.pod.namespace.bindTo(t, join(namespaces, 'cni-1'))
  const holder = await holderIn(t, directory, undefined, namespaces)
  const base = specFor('', { vantage: 'PodNetns' })
  const spec = { ...base, interfaceName: undefined, endpoint: { ...base.endpoint, addresses: [first.pod.podAddress] } } // biome-ignore format: one line
  await open(holder, spec)
  const send = async (pod: Pod, number: number) => {
    const [here, sender] = await Promise.all([makeSender(t), makeSender(t, pod.namespace)])
    await sender.udp({ to: pod.hostAddress, port: await here.listenUdp(pod.hostAddress), count: 5, first: number }) // biome-ignore format: one line
  }
  const captured = (count: number) => until(`${count} packets`, () => row(holder).packets === count)
  await send(first.pod, 0)
  await captured(5)
  return { pod: first.pod, spec, holder, directory, namespaces, letGo, send, captured }
}

/** Another pod, to which the address of the first one goes. */
async function takeAddress(t: ExecutionContext, from: Pod): Promise<Pod> {
  const pod = await makePod(t)
  await from.namespace.ip(
    `address del ${from.podAddress}/30 dev ${from.podName}`,
    `address add 203.0.113.9/32 dev ${from.podName}`, // it can still send
    `route add ${from.hostAddress}/32 dev ${from.podName} src 203.0.113.9`,
  )
  await pod.namespace.ip(`address add ${from.podAddress}/32 dev ${pod.podName}`)
  return pod
}

networkTest(
  'TapManager says of an interface inside a pod that it is down, and goes on when it is up',
  async t => {
    const { pod, holder, send, captured, directory } = await within(t)
    await pod.namespace.ip(`link set dev ${pod.podName} down`)
    await until('down', () => /interface eth0 is down/.test(messageOf(holder) ?? ''))
    await pod.namespace.ip(
      `link set dev ${pod.podName} up`,
      `neighbour replace ${pod.hostAddress} lladdr ${pod.hostMac} dev ${pod.podName} nud permanent`,
    )
    await until('up', () => isGoingOn(holder))
    await pod.setUp()
    await send(pod, 10)
    await captured(10)
    t.deepEqual(numbersIn(directory), [...fiveFrom(0), ...fiveFrom(10)])
  },
)

networkTest('TapManager follows an interface that is renamed inside its pod', async t => {
  const { pod, holder, send, captured, spec, directory } = await within(t)
  await rename(pod.podName, 'eth0-nic', pod.namespace.path)
  await until('the rename', () => row(holder).gaps.length > 0)
  await reopened(holder, spec)
  await pod.namespace.ip(`neighbour replace ${pod.hostAddress} lladdr ${pod.hostMac} dev eth0-nic nud permanent`) // biome-ignore format: one line
  await send(pod, 10)
  await captured(10)
  t.is(row(holder).interfaceName, 'eth0-nic')
  t.deepEqual(numbersIn(directory).toSorted((a = 0, b = 0) => a - b), [...fiveFrom(0), ...fiveFrom(10)]) // biome-ignore format: one line
})

networkTest(
  "TapManager follows a pod's network namespace that is made again under its name",
  async t => {
    const { pod, holder, send, captured, spec, namespaces, letGo, directory } = await within(t)
    await letGo()
    const again = await takeAddress(t, pod)
    await again.namespace.bindTo(t, join(namespaces, 'cni-1'))
    await until('the gap', () => row(holder).gaps.length > 0)
    await reopened(holder, spec)
    await send(pod, 100)
    await send(again, 200)
    await captured(10)
    t.deepEqual(numbersIn(directory), [...fiveFrom(0), ...fiveFrom(200)])
    t.regex(row(holder).gaps[0]?.reason ?? '', /namespace/)
  },
)

networkTest('TapManager follows an address that moves to another network namespace', async t => {
  const { pod, holder, send, captured, spec, namespaces, directory } = await within(t)
  const other = await takeAddress(t, pod)
  await other.namespace.bindTo(t, join(namespaces, 'cni-2'))
  await until('the gap', () => row(holder).gaps.length > 0)
  await reopened(holder, spec)
  await send(pod, 100)
  await send(other, 200)
  await captured(10)
  t.deepEqual(numbersIn(directory), [...fiveFrom(0), ...fiveFrom(200)])
})

networkTest('TapManager finds an interface by its alternative name', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const alternative = `alternative-${pod.hostName}`
  await ip([`link property add dev ${pod.hostName} altname ${alternative}`])
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(alternative))
  await sender.udp({ to: pod.hostAddress, port, count: 5 })
  await until('5 packets', () => row(holder).packets === 5)
  t.is(row(holder).interfaceName, pod.hostName)
})

const packets = [
  ipv4({ protocol: 17, body: udp(numbered(1, 40)) }),
  ipv4({ protocol: 6, body: tcp(numbered(2, 40)) }),
  ipv6({ nextHeader: 17, body: udp(numbered(3, 40)) }),
]
const [none, ipInIp, wireless] = [0xfffe, 768, 801] // ARPHRD_*

for (const hardwareType of [none, ipInIp])
  networkTest(
    `TapManager writes raw IP, and filters and headers for it, of an interface without a link header (ARPHRD ${hardwareType})`,
    async t => {
      const tun = await makeTun(t, { hardwareType })
      const directory = folder(t)
      const holder = await holderIn(t, directory)
      const specs = [
        specFor(tun.name, { name: 'all', filter: '' }),
        specFor(tun.name, { name: 'ng', filter: '', format: 'pcapng' }),
        specFor(tun.name, { name: 'udp', filter: 'udp port 4001' }),
        specFor(tun.name, { name: 'headers', filter: 'udp', payload: 'Headers' }),
      ]
      await open(holder, ...specs)
      await tun.receive(packets)
      const counts = { all: 3, ng: 3, udp: 2, headers: 2 }
      for (const [name, count] of Object.entries(counts))
        await until(
          `${count} packets of ${name}`,
          () => row(holder, `shop/${name}`).packets === count,
        )
      await holder.stop()
      const protocols = async (name: string) => {
        const args = ['-T', 'fields', '-e', 'frame.protocols', '-e', 'frame.cap_len']
        const [path = ''] = filesOf(directory, name)
        return (await run('tshark', ['-nr', path, ...args])).trimEnd().split('\n')
      }
      const whole = packets.map(({ length }) => length)
      for (const name of ['all', 'ng'])
      t.deepEqual((await protocols(name)).map(line => [line.slice(0, 7), Number(line.split('\t')[1])]), [['raw:ip:', whole[0]], ['raw:ip:', whole[1]], ['raw:ipv', whole[2]]]) // biome-ignore format: one line
      t.is((await protocols('udp')).length, 2)
      t.deepEqual(
        (await protocols('headers')).map(line => Number(line.split('\t')[1])),
        [28, 48],
      )
    },
  )

networkTest(
  'TapManager refuses a link type that is not supported, with the name of the interface',
  async t => {
    const tun = await makeTun(t, { hardwareType: wireless })
    const directory = folder(t)
    mkdirSync(join(directory, 'shop'), { recursive: true })
    const holder = await holderIn(t, directory)
    await open(holder, specFor(tun.name, { filter: '' }))
    const tap = holder.actualState().taps.get('shop/web/web-0')
    t.is(tap?.state, 'failed')
    t.regex(messageOf(holder) ?? '', new RegExp(`"${tun.name}".*link type \\(ARPHRD 801\\) is not supported`)) // biome-ignore format: one line
  },
)

networkTest(
  'TapManager writes every packet once while the filter is edited under traffic, and states no gap',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const directory = folder(t)
    const holder = await holderIn(t, directory)
    let spec = specFor(pod.hostName, { rotation: { fileBytesMax: 10_000_000, fileAgeMsMax: 3.6e6, filesMax: 20 } }) // biome-ignore format: one line
    await open(holder, spec)
    const traffic = sender.udp({ to: pod.hostAddress, port, count: 3_000, gapMs: 1 })
    for (let edits = 1; edits <= 5; edits++) {
      const before = row(holder).packets
      await until('traffic', () => row(holder).packets > before + 100)
      const next = { ...spec, filter: `udp and not port ${edits}` }
      await holder.apply([{ kind: 'close', id: spec.id, reason: 'changed' }, { kind: 'open', spec: next }]) // biome-ignore format: one line
      spec = next
    }
    await traffic
    await until('all packets', () => row(holder).packets >= 3_000)
    await close(holder, spec.id, 'deleted')
    t.deepEqual(numbersIn(directory).toSorted((a = 0, b = 0) => a - b), Array.from({ length: 3_000 }, (_, number) => number)) // biome-ignore format: one line
    t.deepEqual(row(holder).gaps, [])
    t.is(row(holder).dropped, 0)
  },
)
