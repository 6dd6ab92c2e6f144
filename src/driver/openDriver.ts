// Opens a driver.
// In: its name. Out: the driver. Refuses with TapError a driver that this machine cannot run.
import type { Driver } from './driver.ts'
import { libpcapDriver } from './libpcap/libpcapDriver.ts'
import { ringDriver } from './ring/ringDriver.ts'

export type DriverName = Driver['name']

export function openDriver(name: DriverName): Driver {
  return name === 'ring' ? ringDriver() : libpcapDriver()
}
