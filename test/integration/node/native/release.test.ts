// What the ring driver keeps after a tap was closed or could not be opened: nothing.
// A driver lives as long as the agent, so a few hundred bytes for each tap add up.
import { closeSync, openSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import type { Driver, TapEvent } from '../../../../src/driver/driver.ts'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { defaults } from '../../../support/net/capture.ts'
import { makePod } from '../../../support/net/pod.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'

v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as () => void

/** The number of objects that are still referenced after several collections. */
async function alive(references: readonly WeakRef<object>[]): Promise<number> {
  for (let round = 0; round < 5; round++) {
    await wait(0) // a WeakRef keeps its object until the end of the job that made it
    collectGarbage()
  }
  return references.filter(reference => reference.deref() !== undefined).length
}

async function openAndClose(driver: Driver, interfaceName: string): Promise<readonly WeakRef<object>[]> {
  const fd = openSync('/dev/null', 'a')
  const onEvent = (_: TapEvent): void => {}
  const sink = { fd, bytesLeft: 1e9, isEmpty: true }
  const tap = await driver.open({ ...defaults, ringBytes: 524_288, interfaceName, sink }, onEvent)
  await tap.close()
  closeSync(fd)
  return [new WeakRef(tap), new WeakRef(onEvent)]
}

networkTest('native: close() leaves no reference to the tap and its listener', async t => {
  const pod = await makePod(t)
  const driver = ringDriver()
  const references: WeakRef<object>[] = []
  for (let count = 0; count < 5; count++) references.push(...(await openAndClose(driver, pod.hostName)))
  t.is(await alive(references), 0)
})

async function failToOpen(t: ExecutionContext, driver: Driver): Promise<WeakRef<object>> {
  const onEvent = (_: TapEvent): void => {}
  const sink = { fd: 1, bytesLeft: 1e9, isEmpty: true }
  await t.throwsAsync(driver.open({ ...defaults, interfaceName: 'selcap-none', sink }, onEvent))
  return new WeakRef(onEvent)
}

test('native: a failed open() leaves no reference to the listener', async t => {
  const driver = ringDriver()
  const references: WeakRef<object>[] = []
  for (let count = 0; count < 5; count++) references.push(await failToOpen(t, driver))
  t.is(await alive(references), 0)
})
