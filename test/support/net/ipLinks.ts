// The interfaces of a network namespace as ip(8) tells them: another witness than the drivers' own
// links().

import type { Link } from '../../../src/driver/driver.ts'
import { TapError } from '../../../src/model/errors.ts'
import { inside } from './run.ts'

type Shown = {
  readonly ifname: string
  readonly ifindex: number
  readonly flags: readonly string[]
  readonly mtu: number
  readonly gso_max_size: number
  readonly link_type: string
  readonly altnames?: readonly string[]
  readonly link_index?: number
  readonly linkinfo?: { readonly info_kind?: string }
  readonly addr_info: readonly { readonly local: string }[]
}

export async function ipLinks(netns?: string): Promise<Link[]> {
  const text = await inside(netns, 'ip', ['-json', '-details', 'address', 'show']).catch(error => {
    throw new TapError('NO_NAMESPACE', (error as Error).message, error) // as a driver refuses
  })
  const shown = JSON.parse(text) as readonly Shown[]
  return shown.map(link => ({
    name: link.ifname,
    index: link.ifindex,
    kind: link.linkinfo?.info_kind ?? '',
    isUp: link.flags.includes('UP'),
    mtu: link.mtu,
    gsoMaxBytes: link.gso_max_size,
    peerIndex: link.link_index,
    addresses: link.addr_info.map(({ local }) => local),
    alternativeNames: link.altnames ?? [],
    ...linkTypeOf(link.link_type),
  }))
}

function linkTypeOf(shown: string): Pick<Link, 'hardwareType' | 'linkType'> {
  if (shown === 'none') return { hardwareType: 0xfffe, linkType: 'RawIp' }
  return { hardwareType: shown === 'loopback' ? 772 : 1, linkType: 'Ethernet' }
}
