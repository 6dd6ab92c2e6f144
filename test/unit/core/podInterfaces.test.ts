// Which endpoints a list of names, wildcards and networks makes of a pod.
import test from 'ava'
import fc from 'fast-check'
import { endpointsOf, isWildcardOnly, matchesName } from '../../../src/core/podInterfaces.ts'
import { endpointKey, podKey } from '../../../src/model/endpoint.ts'
import { endpointOf } from '../../support/model/taps.ts'
import { runs } from '../../support/runs.ts'

const pod = endpointOf('p', {
  networks: [
    { name: 'storage/fast', interfaceName: 'net2' },
    { name: 'storage/odd', interfaceName: '../../etc' },
  ],
})
const present = new Map([
  [podKey(pod), ['eth0', 'lo', 'net1', 'k6t-eth0', 'tap0', 'a b', '..', '$(x)']],
])

const rows: readonly (readonly [interfaces: readonly string[], names: readonly string[]])[] = [
  [['eth0'], ['eth0']],
  [['net9'], ['net9']],
  [['net*'], ['net1']],
  [['*'], ['eth0', 'k6t-eth0', 'lo', 'net1', 'tap0']],
  [
    ['*0', 'eth0', 'eth0'],
    ['eth0', 'k6t-eth0', 'tap0'],
  ],
  [
    ['?o', 'k6t-*'],
    ['k6t-eth0', 'lo'],
  ],
  [['storage/fast'], ['net2']],
  [['storage/odd', 'storage/none'], []],
  [['vlan*'], []],
]
for (const [interfaces, names] of rows)
  test(`endpointsOf() makes [${names}] of [${interfaces}]`, t => {
    const made = endpointsOf(pod, interfaces, present)
    t.deepEqual(
      made.map(({ podInterface }) => podInterface),
      [...names],
    )
    t.deepEqual(
      made.map(endpointKey),
      names.map(name => `p/${name}`),
    )
  })

test('endpointsOf() of a pod that nobody has looked at has the names, and no wildcard', t =>
  t.deepEqual(
    endpointsOf(pod, ['*', 'net1', 'storage/fast'], new Map()).map(
      ({ podInterface }) => podInterface,
    ),
    ['net1', 'net2'],
  ))

test('isWildcardOnly() is true of what no name takes', t => {
  t.true(isWildcardOnly('net1', ['eth0', 'n*']))
  t.false(isWildcardOnly('net1', ['net1', 'n*']))
  t.false(isWildcardOnly('net1', ['eth0']))
})

test('matchesName() is as a regular expression has it', t => {
  const letter = fc.constantFrom('a', 'b', '*', '?', '.')
  fc.assert(
    fc.property(
      fc.string({ unit: letter, maxLength: 8 }),
      fc.string({ unit: letter, maxLength: 8 }),
      (wanted, name) => {
        const text = wanted.replaceAll('.', '\\.').replaceAll('?', '.').replaceAll(/\*+/g, '.*')
        return matchesName(wanted, name) === new RegExp(`^${text}$`).test(name)
      },
    ),
    { numRuns: runs(300) },
  )
  t.false(matchesName('*a'.repeat(7), `${'a'.repeat(1_000_000)}b`))
})
