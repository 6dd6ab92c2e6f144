// The portable driver against the contract, without the addon; its limits are those that
// src/driver/libpcap/libpcapDriver.ts states.
import test from 'ava'
import { readLinks } from '../../../../src/driver/libpcap/portableLinks.ts'
import { TapError } from '../../../../src/model/errors.ts'
import { driverContract, type StatedLimits } from '../../../support/net/contract/contract.ts'
import { makeNamedDriver } from '../../../support/net/drivers.ts'

const always = ['nanoseconds', 'flags', 'instructions', 'peers'] as const
const sysfsIsOurs = readLinks().some(({ index }) => index > 0)
const statedLimits: StatedLimits = new Set(sysfsIsOurs ? always : [...always, 'watching'])

driverContract('libpcap', () => makeNamedDriver('libpcap'), statedLimits)

test('libpcap: pipe() is refused: it has no live streams', async t => {
  await using driver = await makeNamedDriver('libpcap')
  const error = t.throws(() => driver.pipe(65_536), { instanceOf: TapError })
  t.is(error?.code, 'NOT_SUPPORTED')
})
