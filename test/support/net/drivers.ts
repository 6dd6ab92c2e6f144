// The drivers by name, as the contract makes them: also within the child that has lost its rights
// (openChild.ts).
import type { Driver } from '../../../src/driver/driver.ts'
import { libpcapDriver } from '../../../src/driver/libpcap/libpcapDriver.ts'

export type DriverName = Driver['name']

export async function makeNamedDriver(name: DriverName): Promise<Driver> {
  if (name === 'libpcap') return libpcapDriver()
  const { ringDriver } = await import('../../../src/driver/ring/ringDriver.ts')
  return ringDriver()
}
