// A pod's way into its node, as network plugins build it: a veth point to point, or a port of a
// bridge; with IPv4, with IPv6 before it if asked for. No packet passes that a test does not send:
// without IPv6 it is off, with it neighbours are known.
import type { Namespace } from '../net/namespace.ts'
import { ip } from '../net/run.ts'

export type PodNetwork = { readonly bridge?: string; readonly hasIpv6?: boolean }

/**
 * `podAddresses` as the pod's status has them; `hostAddress` is IPv4, on the veth or the bridge.
 */
export type PodAddresses = {
  readonly hostAddress: string
  readonly hostAddress6: string
  readonly podAddress: string
  readonly podAddresses: readonly string[]
}

export type Place = {
  readonly number: number // of the pod on its node
  readonly node: number
  readonly host: Namespace
  readonly inside: Namespace
  readonly hostName: string
}

export async function connectPod(
  place: Place,
  { bridge, hasIpv6 = false }: PodNetwork,
): Promise<PodAddresses> {
  const { number, node, host, inside, hostName } = place
  const [hostAddress, podAddress] = bridge
    ? [`10.${node}.255.1`, `10.${node}.255.${number + 1}`]
    : [`10.${node}.${number}.1`, `10.${node}.${number}.2`]
  const [hostAddress6, podAddress6] = [`fd5e:${node}::${number}:1`, `fd5e:${node}::${number}:2`]
  await ip([`link add ${hostName} type veth peer name eth0 netns ${inside.pid}`], host.path)
  await silence(inside, 'eth0')
  await silence(host, hostName)
  if (bridge) await joinBridge(place, bridge, hostAddress)
  else await host.ip(`address add ${hostAddress}/30 dev ${hostName}`)
  await host.ip(`link set ${hostName} up`)
  await inside.ip(`address add ${podAddress}/${bridge ? 24 : 30} dev eth0`, 'link set eth0 up')
  if (hasIpv6) await addIpv6(place, hostAddress6, podAddress6)
  return {
    hostAddress,
    hostAddress6,
    podAddress,
    podAddresses: hasIpv6 ? [podAddress6, podAddress] : [podAddress],
  }
}

/** The bridge has the address, its ports have none; the first pod makes it. */
async function joinBridge(
  { host, hostName }: Place,
  bridge: string,
  address: string,
): Promise<void> {
  const links = JSON.parse(await host.run('ip', '-json', 'link', 'show')) as readonly {
    readonly ifname: string
  }[]
  if (!links.some(({ ifname }) => ifname === bridge)) {
    await host.ip(`link add ${bridge} type bridge`)
    await silence(host, bridge)
    await host.ip(`address add ${address}/24 dev ${bridge}`, `link set ${bridge} up`)
  }
  await host.ip(`link set ${hostName} master ${bridge}`)
}

async function addIpv6(
  { host, inside, hostName }: Place,
  hostAddress: string,
  podAddress: string,
): Promise<void> {
  await host.run('sh', '-c', `echo 0 >/proc/sys/net/ipv6/conf/${hostName}/disable_ipv6`)
  await inside.run('sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6')
  await host.ip(`address add ${hostAddress}/126 dev ${hostName} nodad`)
  await inside.ip(`address add ${podAddress}/126 dev eth0 nodad`)
}

async function silence(namespace: Namespace, name: string): Promise<void> {
  await namespace.run('sh', '-c', `echo 1 >/proc/sys/net/ipv6/conf/${name}/disable_ipv6`)
}
