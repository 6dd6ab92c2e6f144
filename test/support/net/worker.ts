// Run in a worker thread by hazards.test.ts: an environment of its own with an open tap on the
// interface it is given.
import { fstatSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { ringDriver } from '../../../src/driver/ring/ringDriver.ts'

const { interfaceName, fd, notifyFd } = workerData as {
  interfaceName: string
  fd: number
  notifyFd: number
}
const driver = ringDriver()
await driver.open(
  {
    interfaceName,
    filter: 'udp',
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    insideIsPod: false,
    ringBytes: 524_288,
    group: undefined,
    sink: { fd, bytesLeft: 1e12, isEmpty: true, device: fstatSync(fd).dev },
  },
  () => {},
)
writeSync(notifyFd, 'open\n')
await new Promise(() => setInterval(() => {}, 1_000)) // until it is terminated, with the tap open
