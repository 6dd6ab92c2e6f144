// The portable driver against the contract, without the addon; its limits are those that src/taps/libpcap.ts states.
import { driverContract } from './contract.ts'
import { makeNamedDriver } from './drivers.ts'

driverContract('libpcap', () => makeNamedDriver('libpcap'), new Set(['nanoseconds', 'flags', 'instructions', 'peers']))
