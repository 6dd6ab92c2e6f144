// The TPACKET_V3 driver against the contract: it has no limits to state.
import { driverContract } from './contract.ts'
import { makeNamedDriver } from './drivers.ts'

driverContract('ring', () => makeNamedDriver('ring'))
