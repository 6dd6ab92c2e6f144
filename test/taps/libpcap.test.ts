// The portable driver against the contract, without the addon; its limits are those that src/taps/libpcap.ts states.
import { readLinks } from '../../src/taps/portableLinks.ts'
import { driverContract, type StatedLimits } from './contract.ts'
import { makeNamedDriver } from './drivers.ts'

const always = ['nanoseconds', 'flags', 'instructions', 'peers'] as const
const sysfsIsOurs = readLinks().some(({ index }) => index > 0)
const statedLimits: StatedLimits = new Set(sysfsIsOurs ? always : [...always, 'watching'])

driverContract('libpcap', () => makeNamedDriver('libpcap'), statedLimits)
