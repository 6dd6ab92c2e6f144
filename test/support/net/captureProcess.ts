// Run as a child by hazards.test.ts: writes what it captures to one file until it is killed.
// Arguments: interface, file, format, bytes of the ring.
import { fstatSync, openSync, writeSync } from 'node:fs'
import { ringDriver } from '../../../src/driver/ring/ringDriver.ts'
import { fileHeader } from '../pcap/captureFile.ts'

const [interfaceName = '', path = '', format = 'pcap', ringBytes = '2097152'] =
  process.argv.slice(2)
const fd = openSync(path, 'a')
const form = format === 'pcapng' ? 'pcapng' : 'pcap'
writeSync(fd, fileHeader(form))
const tap = await ringDriver().open(
  {
    interfaceName,
    filter: 'udp',
    snapLength: 262_144,
    payload: 'Full',
    format: form,
    insideIsPod: false,
    ringBytes: Number(ringBytes),
    group: undefined,
    sink: { fd, bytesLeft: 1e12, isEmpty: true, device: fstatSync(fd).dev },
  },
  event => process.stdout.write(`${JSON.stringify(event)}\n`),
)
process.stdout.write('open\n')
process.stdin
  .on(
    'end',
    () =>
      void tap
        .close()
        .then(counters =>
          process.stdout.write(`${JSON.stringify(counters)}\n`, () => process.exit()),
        ),
  )
  .resume()
