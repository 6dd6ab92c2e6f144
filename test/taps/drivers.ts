// The drivers by name, as the contract makes them: also within the child that has lost its rights (openChild.ts).
import type { Driver } from '../../src/taps/driver.ts'
import { libpcapDriver } from '../../src/taps/libpcap.ts'

export type DriverName = Driver['name']

export async function makeNamedDriver(name: DriverName): Promise<Driver> {
  if (name === 'libpcap') return libpcapDriver()
  const { ringDriver } = await import('../../src/taps/ring.ts')
  return ringDriver()
}
