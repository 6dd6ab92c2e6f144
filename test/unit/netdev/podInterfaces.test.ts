// What is known of the interfaces inside pods as they come and go, without a kernel.
import test from 'ava'
import type { Link } from '../../../src/driver/driver.ts'
import { TapError } from '../../../src/model/errors.ts'
import type { InterfaceResolver } from '../../../src/netdev/interfaceResolver.ts'
import { PodInterfaces } from '../../../src/netdev/podInterfaces.ts'
import { endpointOf } from '../../support/model/taps.ts'

type Known = Partial<Link> & Pick<Link, 'name'>

/** A pod with these interfaces, and what was told. */
function scene(...first: readonly Known[]) {
  const state = { links: first as readonly Known[] | TapError, looks: 0 }
  const told: string[][] = []
  const within = async () => {
    state.looks++
    if (state.links instanceof TapError) throw state.links
    return state.links.map((link, index) => ({
      index: index + 1,
      isUp: true,
      linkType: 'Ethernet',
      ...link,
    }))
  }
  const resolver = { within } as unknown as InterfaceResolver
  const pods = new PodInterfaces(
    () => resolver,
    changed => told.push([...changed]),
  )
  const key = 'default/uid-p'
  return { pods, state, told, names: () => pods.present.get(key) }
}
const pod = endpointOf('p')

test('watch() looks at a new pod, tells of it, and not again', async t => {
  const { pods, state, told, names } = scene({ name: 'lo' }, { name: 'eth0' })
  t.is(names(), undefined)
  await pods.watch([pod])
  await pods.watch([pod])
  t.deepEqual([names(), state.looks], [['eth0', 'lo'], 1])
  t.deepEqual(told, [['default/uid-p']])
  await pods.watch([])
  t.is(names(), undefined)
})

test('look() tells of an interface that came and of one that went', async t => {
  const { pods, state, told, names } = scene({ name: 'eth0' })
  await pods.watch([pod])
  state.links = [{ name: 'eth0' }, { name: 'net1' }]
  await pods.look()
  await pods.look()
  t.deepEqual([names(), told.length], [['eth0', 'net1'], 2])
  state.links = [{ name: 'eth0' }]
  await pods.look()
  t.deepEqual([names(), told.length], [['eth0'], 3])
})

test('look() takes an interface once it was up, as long as it exists, and none that no file can hold', async t => {
  const { pods, state, names } = scene(
    { name: 'eth0', isUp: false },
    { name: 'gre0', linkType: undefined },
  )
  await pods.watch([pod])
  t.deepEqual(names(), [])
  state.links = [{ name: 'eth0' }]
  await pods.look()
  t.deepEqual(names(), ['eth0'])
  state.links = [{ name: 'eth0', isUp: false }]
  await pods.look()
  t.deepEqual(names(), ['eth0'])
  state.links = [{ name: 'eth0', isUp: false, index: 9 }]
  await pods.look()
  t.deepEqual(names(), [], 'another one has its name')
})

test('look() keeps what it knew when memory lacks, and forgets it when the pod is not found', async t => {
  const { pods, state, names } = scene({ name: 'eth0' })
  await pods.watch([pod])
  state.links = new TapError('NO_MEMORY', 'no descriptors')
  await pods.look()
  t.deepEqual(names(), ['eth0'])
  state.links = new TapError('NO_INTERFACE', 'no namespace')
  await pods.look()
  t.deepEqual(names(), [])
})

test('look() asks nothing without pods', async t => {
  const { pods, state } = scene()
  await pods.look()
  t.is(state.looks, 0)
})
