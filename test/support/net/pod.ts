// A stand-in for a pod's network: a namespace with eth0, and the other end of its veth pair in this
// namespace. No packet passes that the test does not send: neighbours are entered on both ends, and
// IPv6, which cannot be kept quiet, is off unless asked for (expect a few multicast listener
// reports then: filter them).
//   const pod = await makePod(t)                     up, addresses and neighbours set; makePod(t, { ipv6: true })
//   pod.hostName, pod.hostAddress, pod.hostAddress6  the end in this namespace
//   pod.podName,  pod.podAddress,  pod.podAddress6   the end in pod.namespace
//   await pod.setDown(); await pod.setUp()           the host end
//   await pod.remove(); await pod.create()           the pair, again under the same name (addresses change)
import { until } from '../until.ts'
import { makeNamespace, type Namespace, type Scope, sweep, uniqueName } from './namespace.ts'
import { inside, ip, run } from './run.ts'

export type PodOptions = {
  readonly hostName?: string
  readonly podName?: string
  readonly namespace?: Namespace
  readonly ipv6?: boolean
}

export class Pod {
  readonly namespace: Namespace
  readonly hostName: string
  readonly podName: string
  readonly #ipv6: boolean
  hostIndex = 0 // the others follow from it: it is unique in this namespace for as long as the veth lives

  constructor(
    namespace: Namespace,
    { hostName = uniqueName(), podName = 'eth0', ipv6 = false }: PodOptions,
  ) {
    this.namespace = namespace
    this.hostName = hostName
    this.podName = podName
    this.#ipv6 = ipv6
  }

  get hostAddress(): string {
    return address4(this.hostIndex, 1)
  }
  get podAddress(): string {
    return address4(this.hostIndex, 2)
  }
  get hostAddress6(): string {
    return `fd5e:1ca9::${this.hostIndex.toString(16)}:1`
  }
  get podAddress6(): string {
    return `fd5e:1ca9::${this.hostIndex.toString(16)}:2`
  }
  get hostMac(): string {
    return mac(this.hostIndex, 1)
  }
  get podMac(): string {
    return mac(this.hostIndex, 2)
  }

  async create(): Promise<void> {
    await run('ip', [
      'link',
      'add',
      'name',
      this.hostName,
      'type',
      'veth',
      'peer',
      'name',
      this.podName,
      'netns',
      String(this.namespace.pid),
    ])
    const [link] = JSON.parse(
      await run('ip', ['-json', 'link', 'show', 'dev', this.hostName]),
    ) as readonly { ifindex: number }[]
    this.hostIndex = link?.ifindex ?? 0
    await ip([
      ...raise(this.hostName, this.hostMac),
      `address add ${this.hostAddress}/30 dev ${this.hostName}`,
    ])
    await this.namespace.ip(
      ...raise(this.podName, this.podMac),
      `address add ${this.podAddress}/30 dev ${this.podName}`,
    )
    await (this.#ipv6 ? this.#addIpv6() : this.#silenceIpv6())
    await ip([`link set dev ${this.hostName} up`, this.#hostNeighbour(this.podAddress)])
    await this.namespace.ip(
      `link set dev ${this.podName} up`,
      neighbour(this.podName, this.hostMac, this.hostAddress),
    )
    await this.#carries()
  }

  async #silenceIpv6(): Promise<void> {
    await inside(undefined, 'sh', ['-c', disableIpv6(this.hostName)])
    await this.namespace.run('sh', '-c', disableIpv6(this.podName))
  }

  async #addIpv6(): Promise<void> {
    await ip([
      `address replace ${this.hostAddress6}/126 dev ${this.hostName} nodad`,
      this.#hostNeighbour(this.podAddress6),
    ])
    await this.namespace.ip(
      `address replace ${this.podAddress6}/126 dev ${this.podName} nodad`,
      neighbour(this.podName, this.hostMac, this.hostAddress6),
    )
  }

  #hostNeighbour(address: string): string {
    return neighbour(this.hostName, this.podMac, address)
  }

  async setDown(): Promise<void> {
    await ip([`link set dev ${this.hostName} down`])
  }

  /** Neighbours and IPv6 addresses are lost by setDown(); they are set again. */
  async setUp(): Promise<void> {
    await ip([`link set dev ${this.hostName} up`, this.#hostNeighbour(this.podAddress)])
    if (this.#ipv6) await this.#addIpv6()
    await this.#carries()
  }

  // What is sent before the kernel has taken note of the carrier, up to a second after it came, is
  // lost without a word.
  async #carries(): Promise<void> {
    await until(
      `a carrier on "${this.hostName}"`,
      async () =>
        (await isOperational(this.hostName)) &&
        (await isOperational(this.podName, this.namespace.path)),
    )
  }

  async remove(): Promise<void> {
    await ip([`link delete dev ${this.hostName}`])
  }
}

let swept: Promise<unknown> | undefined // once a thread, before its first pod

export async function makePod(scope: Scope, options: PodOptions = {}): Promise<Pod> {
  swept ??= sweep()
  await swept
  const namespace = options.namespace ?? (await makeNamespace(scope))
  const pod = new Pod(namespace, options)
  scope.teardown(() => pod.remove().catch(() => {})) // the test may have removed it
  await pod.create()
  return pod
}

async function isOperational(name: string, netns?: string): Promise<boolean> {
  const [link] = JSON.parse(
    await inside(netns, 'ip', ['-json', 'link', 'show', 'dev', name]),
  ) as readonly { operstate: string }[]
  return link?.operstate === 'UP'
}

function raise(name: string, mac: string): string[] {
  return [`link set dev ${name} addrgenmode none`, `link set dev ${name} address ${mac}`]
}

function neighbour(name: string, mac: string, address: string): string {
  return `neighbour replace ${address} lladdr ${mac} dev ${name} nud permanent`
}

function disableIpv6(name: string): string {
  return `echo 1 >/proc/sys/net/ipv6/conf/${name}/disable_ipv6`
}

// 198.18.0.0/15 is set aside for tests of networks (RFC 2544): one /30 a pair.
function address4(index: number, end: 1 | 2): string {
  const offset = (index % 32_768) * 4 + end
  return `198.${18 + (offset >> 16)}.${(offset >> 8) & 255}.${offset & 255}`
}

function mac(index: number, end: 1 | 2): string {
  const hex = index.toString(16).padStart(6, '0').slice(-6)
  return `02:5c:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:0${end}`
}
