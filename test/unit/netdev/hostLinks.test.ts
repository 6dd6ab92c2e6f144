// The names of the host's interfaces, as the driver lists them and reports their changes.
import test from 'ava'
import type { LinkChange } from '../../../src/driver/driver.ts'
import { HostLinks } from '../../../src/netdev/hostLinks.ts'

function driver() {
  const state = { listed: 0, watching: false, change: (_: LinkChange): void => {} }
  const names = ['eth0', 'lo']
  return {
    state,
    links: async () => {
      state.listed++
      return names.map((name, index) => ({
        name,
        index,
        kind: '',
        isUp: true,
        mtu: 0,
        gsoMaxBytes: 0,
        peerIndex: undefined,
        addresses: [],
        alternativeNames: [],
        hardwareType: 1,
        linkType: 'Ethernet' as const,
      }))
    },
    watchLinks: (onChange: (change: LinkChange) => void) => {
      state.watching = true
      state.change = onChange
      const stop = () => {
        state.watching = false
      }
      return { [Symbol.dispose]: stop }
    },
  }
}

test('HostLinks has the names in order, and calls back only when one changes', async t => {
  const fake = driver()
  const changes = { count: 0 }
  using links = await HostLinks.open(fake, true, () => changes.count++)
  t.deepEqual(links.names, ['eth0', 'lo'])
  fake.state.change({ kind: 'present', name: 'br0', index: 7 })
  fake.state.change({ kind: 'down', name: 'br0', index: 7 })
  t.deepEqual([links.names, changes.count], [['br0', 'eth0', 'lo'], 1])
  fake.state.change({ kind: 'present', name: 'br1', index: 7 })
  fake.state.change({ kind: 'gone', name: 'eth0', index: 0 })
  fake.state.change({ kind: 'gone', name: 'eth0', index: 0 })
  t.deepEqual([links.names, changes.count], [['br1', 'lo'], 3])
})

test('HostLinks lists and watches nothing unless it is needed, and stops watching when it is disposed', async t => {
  const idle = driver()
  const none = await HostLinks.open(idle, false, () => t.fail())
  t.deepEqual([none.names, idle.state.listed, idle.state.watching], [[], 0, false])
  const used = driver()
  const links = await HostLinks.open(used, true, () => t.fail())
  t.true(used.state.watching)
  links[Symbol.dispose]()
  t.false(used.state.watching)
})
