// The native driver against the contract, without a limit.
import { driverContract } from './contract.ts'
import { makeNamedDriver } from './drivers.ts'

driverContract('ring', () => makeNamedDriver('ring'))
