// How records reach the files when many go with one write: long ones straight from the ring, and a rest that is held back.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Format } from '../../src/model/capture.ts'
import { ringDriver } from '../../src/taps/ring.ts'
import { ethernet, numbered, numberOf } from '../net/frames.ts'
import { makePod } from '../net/pod.ts'
import { serialNetworkTest as networkTest } from '../net/privilege.ts'
import { run } from '../net/run.ts'
import { makeSender } from '../net/sender.ts'
import { Capture } from '../taps/capture.ts'
import { range } from '../taps/contractPackets.ts'
import { podWithPort } from '../taps/podWithPort.ts'

const formats: readonly Format[] = ['pcap', 'pcapng']

networkTest('native: taps that are busy at once get each its own records, and all of them', async t => {
  const { pod, sender, port } = await podWithPort(t)
  const driver = ringDriver()
  const wish = { interfaceName: pod.hostName, filter: 'udp', ringBytes: 4_194_304 }
  const captures = await Promise.all([...formats, ...formats].map(format => Capture.open(t, driver, { ...wish, format })))
  for (let first = 0; first < 8_000; first += 1_000) {
    await sender.udp({ to: pod.hostAddress, port, count: 1_000, bytes: 800, first })
    await Promise.all(captures.map(capture => capture.holds(first + 1_000))) // while the taps are open: nothing stays behind
  }
  for (const capture of captures) {
    t.like(await capture.close(), { received: 8_000, packets: 8_000, dropped: 0, refused: 0 })
    t.deepEqual(capture.records().map(({ bytes }) => numberOf(bytes)), range(0, 8_000)) // biome-ignore format: one line
  }
})

for (const format of formats) {
  networkTest(`native: a file ends with a whole record when the disk is full among long and short frames (${format})`, async t => {
    const pod = await makePod(t)
    const [sender, listener] = await Promise.all([makeSender(t, pod.namespace), makeSender(t, pod.namespace)])
    const port = await listener.listenUdp('127.0.0.1')
    const directory = mkdtempSync(join(tmpdir(), 'selcap-batch-'))
    t.teardown(() => rmSync(directory, { recursive: true }))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', directory])
    t.teardown(() => run('umount', ['--lazy', directory]))
    const wish = { interfaceName: 'lo', netns: pod.namespace.path, filter: 'udp', directory, format }
    const capture = await Capture.open(t, ringDriver(), wish)
    for (const first of range(0, 10)) await sender.udp({ to: '127.0.0.1', port, count: 1, first, bytes: first % 2 ? 60_000 : 100 })
    await capture.settles(20) // loopback shows each twice
    const numbers = capture.records().map(({ bytes }) => numberOf(bytes))
    t.true(numbers.length >= 10 && numbers.length < 20)
    t.deepEqual(numbers, range(0, 20).map(index => index >> 1).slice(0, numbers.length)) // biome-ignore format: one line
    t.true(capture.records().every(({ bytes, original }) => bytes.length === original))
    t.like(await capture.close(), { received: 20, packets: numbers.length, refused: 20 - numbers.length })
  })

  networkTest(`native: long frames keep the VLAN tag that the kernel has taken out (${format})`, async t => {
    const pod = await makePod(t)
    const sender = await makeSender(t, pod.namespace)
    const capture = await Capture.open(t, ringDriver(), { interfaceName: 'lo', netns: pod.namespace.path, format })
    const sent = [100, 20_001, 40_002, 100, 60_003].map((length, number) =>
      ethernet({ tags: [{ tpid: 0x8100, id: 5, priority: 3 }], type: 0x88b5, body: numbered(number, length) }),
    )
    await sender.frames('lo', sent)
    await capture.holds(10) // loopback shows each twice, and takes the tag out between the two
    t.like(await capture.close(), { packets: 10, dropped: 0, refused: 0 })
    const found = capture.records().map(({ bytes }) => bytes.toString('hex'))
    t.deepEqual(found.toSorted(), [...sent, ...sent].map(frame => Buffer.from(frame).toString('hex')).toSorted())
  })
}
