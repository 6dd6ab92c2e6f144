// Run as a process with fewer rights: opens a tap with the driver and on the interface named by its
// arguments and prints the refusal.
import { TapError } from '../../../src/model/errors.ts'
import { type DriverName, makeNamedDriver } from './drivers.ts'

const [name, interfaceName = ''] = process.argv.slice(2)
await using driver = await makeNamedDriver(name as DriverName)
const sink = { fd: 1, bytesLeft: 0, isEmpty: true, device: undefined }
const wish = {
  filter: '',
  snapLength: 64,
  payload: 'Full',
  format: 'pcap',
  insideIsPod: false,
  ringBytes: 524_288,
  group: undefined,
} as const
try {
  await driver.open({ ...wish, interfaceName, sink }, () => {})
  process.stdout.write('opened')
} catch (error) {
  if (!(error instanceof TapError)) throw error
  process.stdout.write(`${error.code} ${error.message}`)
}
