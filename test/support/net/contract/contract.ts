// What every Driver of src/driver/driver.ts must do, with real packets in network namespaces. A
// driver's own test file calls driverContract(); what the driver's header says it cannot do is
// handed over and is checked to be as stated.
//   contractPackets.ts: what is in the files        contractHeaders.ts: what is not, when only headers are wanted
//   contractSinks.ts:   how files follow one another contractDisk.ts:    a full disk
//   contractLimits.ts:  limits and counters         contractLinks.ts:   interfaces that come and go, refusals
//   contractWindow.ts:  packets by their time
import type { ExecutionContext } from 'ava'
import type { Driver } from '../../../../src/driver/driver.ts'
import { serialNetworkTest } from '../privilege.ts'
import { diskChecks } from './disk.ts'
import { headerChecks } from './headers.ts'
import { limitChecks } from './limits.ts'
import { linkChecks } from './links.ts'
import { packetChecks } from './packets.ts'
import { sinkChecks } from './sinks.ts'
import { windowChecks } from './window.ts'

/**
 * nanoseconds: times are whole microseconds. flags: no epb_flags. instructions: compile() says 0.
 * peers: no peerIndex or index of links in another namespace. watching: nor of those here, and no
 * changes (skipped by name).
 */
export type StatedLimits = ReadonlySet<
  'nanoseconds' | 'flags' | 'instructions' | 'peers' | 'watching'
>

/** One test, with a driver of its own that is disposed of at the end. */
export type Check = (
  title: string,
  implementation: (t: ExecutionContext, driver: Driver) => Promise<void>,
) => void

export function driverContract(
  name: Driver['name'],
  makeDriver: () => Promise<Driver>,
  statedLimits: StatedLimits = new Set(),
): void {
  const check: Check = (title, implementation) =>
    serialNetworkTest(`${name}: ${title}`, async t => {
      const driver = await makeDriver()
      t.teardown(() => driver[Symbol.asyncDispose]())
      t.is(driver.name, name)
      await implementation(t, driver)
    })
  packetChecks(check, statedLimits)
  headerChecks(check)
  sinkChecks(check)
  diskChecks(check)
  limitChecks(check)
  linkChecks(check, statedLimits)
  windowChecks(check)
}
