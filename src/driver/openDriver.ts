// The drivers by name. Refuses with TapError where one cannot be had.
import type { Driver } from './driver.ts'
import { libpcapDriver } from './libpcap/libpcapDriver.ts'
import { ringDriver } from './ring/ringDriver.ts'

export type DriverName = Driver['name']

export function openDriver(name: DriverName): Driver {
  return name === 'ring' ? ringDriver() : libpcapDriver()
}
