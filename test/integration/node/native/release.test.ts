// What the ring driver keeps after a tap was closed or could not be opened: nothing.
// A driver lives as long as the agent, so a few hundred bytes for each tap add up.
import { closeSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setImmediate as afterOthers } from 'node:timers/promises'
import v8 from 'node:v8'
import vm from 'node:vm'
import test, { type ExecutionContext } from 'ava'
import type { Driver, TapEvent } from '../../../../src/driver/driver.ts'
import type { Addon } from '../../../../src/driver/ring/addon.ts'
import { ringDriver } from '../../../../src/driver/ring/ringDriver.ts'
import { filterInstructions } from '../../../../src/model/tap.ts'
import { defaults } from '../../../support/net/capture.ts'
import { makePod } from '../../../support/net/pod.ts'
import { podWithPort } from '../../../support/net/podWithPort.ts'
import { serialNetworkTest as networkTest } from '../../../support/net/privilege.ts'
import { until, untilFound } from '../../../support/until.ts'

v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as () => void

/** The number of objects that are still referenced after several collections. */
async function alive(references: readonly WeakRef<object>[]): Promise<number> {
  let found = references.length
  for (let round = 0; round < 5 && found > 0; round++) {
    await afterOthers() // a WeakRef keeps its object until the end of the job that made it
    collectGarbage()
    found = references.filter(reference => reference.deref() !== undefined).length
  }
  return found
}

async function openAndClose(
  driver: Driver,
  interfaceName: string,
): Promise<readonly WeakRef<object>[]> {
  const fd = openSync('/dev/null', 'a')
  const onEvent = (_: TapEvent): void => {}
  const sink = { fd, bytesLeft: 1e9, isEmpty: true, device: undefined }
  const tap = await driver.open({ ...defaults, ringBytes: 524_288, interfaceName, sink }, onEvent)
  await tap.close()
  closeSync(fd)
  return [new WeakRef(tap), new WeakRef(onEvent)]
}

networkTest('native: close() leaves no reference to the tap and its listener', async t => {
  const pod = await makePod(t)
  const driver = ringDriver()
  const references: WeakRef<object>[] = []
  for (let count = 0; count < 5; count++)
    references.push(...(await openAndClose(driver, pod.hostName)))
  t.is(await alive(references), 0)
})

async function failToOpen(t: ExecutionContext, driver: Driver): Promise<WeakRef<object>> {
  const onEvent = (_: TapEvent): void => {}
  const sink = { fd: 1, bytesLeft: 1e9, isEmpty: true, device: undefined }
  await t.throwsAsync(driver.open({ ...defaults, interfaceName: 'selcap-none', sink }, onEvent))
  return new WeakRef(onEvent)
}

test('native: a failed open() leaves no reference to the listener', async t => {
  const driver = ringDriver()
  const references: WeakRef<object>[] = []
  for (let count = 0; count < 5; count++) references.push(await failToOpen(t, driver))
  t.is(await alive(references), 0)
})

const addon = createRequire(import.meta.url)(
  '../../../../native/build/Release/selcap.node',
) as Addon
const call = 1_000_000_000 // from here on of no call of the driver's

/**
 * Opens a tap whose filter takes long to compile, with a limit group that nothing else references.
 */
function openWithLimit(
  interfaceName: string,
  fd: number,
  { request, packets }: { readonly request: number; readonly packets: number },
): { tap: number; group: WeakRef<object> } {
  const group = addon.limitGroup()
  addon.setLimits(group, packets, -1)
  const hosts = Array.from({ length: 150 }, (_, index) => `host 10.9.${index}.1`).join(' or ')
  const { filter, ...spec } = { ...defaults, filter: `udp and not (${hosts})` }
  const tap = addon.open({
    ...{
      call: request,
      interfaceName,
      netns: '',
      filter,
      snapLength: spec.snapLength,
      format: spec.format,
    },
    ...{
      index: 0,
      linkType: 1,
      netnsId: '',
      headersOnly: false,
      insideIsPod: false,
      ringBytes: 524_288,
      instructionsMax: filterInstructions.long,
      group,
    },
    ...{
      sink: { fd, bytesLeft: 1e9, isEmpty: true, device: undefined },
      window: { fromMs: 0, untilMs: Number.POSITIVE_INFINITY },
    },
  })
  return { tap, group: new WeakRef(group) }
}

networkTest(
  'native: open() keeps its limit group while it opens the tap, though nothing else references the group',
  async t => {
    const { pod, sender, port } = await podWithPort(t)
    ringDriver() // starts the addon
    const fd = openSync('/dev/null', 'a')
    const counts = new Float64Array(9)
    let request = call
    const close = async (tap: number) => {
      addon.close(++request, tap)
      await until('a closed tap', () => !addon.counters(tap, counts))
    }
    // On a machine with much to do the tap may be open before the group was collected.
    const tap = await untilFound('a group that is collected first', async () => {
      const opening = openWithLimit(pod.hostName, fd, { request: ++request, packets: 5 })
      const isCollected = (await alive([opening.group])) === 0
      const isFirst = isCollected && !addon.counters(opening.tap, counts)
      await until('an open tap', () => addon.counters(opening.tap, counts))
      if (isFirst) return opening.tap
      await close(opening.tap)
      return undefined
    })
    await sender.udp({ to: pod.hostAddress, port, count: 12 })
    await until('all packets to be counted', () => addon.counters(tap, counts) && counts[0] === 12)
    t.is(counts[2], 5)
    await close(tap)
    closeSync(fd)
  },
)
