// The TPACKET_V3 driver against the contract: it has no limits to state. And its pipes, which only
// it has.
import { Socket } from 'node:net'
import type { TapEvent } from '../../../../src/driver/driver.ts'
import { BlockReader } from '../../../../src/pcap/blockReader.ts'
import { Capture, defaults } from '../../../support/net/capture.ts'
import { driverContract } from '../../../support/net/contract/contract.ts'
import { makeNamedDriver } from '../../../support/net/drivers.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'

driverContract('ring', () => makeNamedDriver('ring'))

networkTest(
  'pipe() takes what fits of whole records, the rest is refused and counted, and a file beside it has everything',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    const driver = await makeNamedDriver('ring')
    t.teardown(() => driver[Symbol.asyncDispose]())
    const { readFd, writeFd } = driver.pipe(65_536)
    const writing = new Socket({ fd: writeFd, readable: false })
    const spec = {
      ...defaults,
      format: 'pcapng',
      interfaceName: pod.hostName,
      filter: 'udp',
    } as const
    const events: TapEvent[] = []
    const tap = await driver.open(
      { ...spec, sink: { fd: writeFd, bytesLeft: 1e15, isEmpty: true, device: undefined } },
      event => events.push(event),
    )
    const file = await Capture.open(t, driver, spec)
    await sender.udp({ to: pod.hostAddress, port, count: 3_000, bytes: 300, gapMs: 0.05 })
    await file.holds(3_000)
    const { received, packets, refused, dropped } = await tap.close()
    const reading = new Socket({ fd: readFd, writable: false })
    writing.destroy()
    const bytes = Buffer.concat((await reading.toArray()) as Buffer[])
    const reader = new BlockReader()
    const { blocks, problem } = reader.read(bytes)
    t.is(problem, undefined)
    t.true(bytes.length > 32_768 && bytes.length <= 65_536)
    t.is(packets, blocks.length + (reader.rest.length > 0 ? 1 : 0)) // the last one may be there in part
    t.deepEqual([received, dropped, refused], [3_000, 0, 3_000 - packets])
    t.deepEqual(events.map(({ kind }) => kind), ['firstPacket']) // biome-ignore format: one line
  },
)
