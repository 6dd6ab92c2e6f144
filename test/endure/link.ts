// The interface of one endpoint, from inside its pod to the node, and what becomes of it. Each call
// resolves when packets pass again, or when they do not any more.
import { connectPod, type Place } from '../support/kube/podNetwork.ts'
import type { Namespace } from '../support/net/namespace.ts'
import { until } from '../support/until.ts'

export class Link {
  place: Place // the pod's namespace may become another one

  constructor(place: Place) {
    this.place = place
  }

  get hostName(): string {
    return this.place.hostName
  }

  async create(): Promise<void> {
    await connectPod(this.place, {})
    await this.#carries()
  }

  async remove(): Promise<void> {
    await this.place.host.ip(`link delete dev ${this.hostName}`)
  }

  /** The pod's end in another namespace, with the same name and address. */
  async createIn(inside: Namespace): Promise<void> {
    this.place = { ...this.place, inside }
    await this.create()
  }

  async setDown(): Promise<void> {
    await this.place.host.ip(`link set dev ${this.hostName} down`)
  }

  async setUp(): Promise<void> {
    await this.place.host.ip(`link set dev ${this.hostName} up`)
    await this.#carries()
  }

  async rename(from: string, to: string): Promise<void> {
    await this.place.host.ip(`link set dev ${from} name ${to}`)
  }

  /** The node's ends of two links change their names while both are up. */
  async swapNames(other: Link): Promise<void> {
    const [mine, its] = [this.hostName, other.hostName]
    await this.place.host.ip(
      `link set dev ${mine} name swapping0`,
      `link set dev ${its} name ${mine}`,
      `link set dev swapping0 name ${its}`,
    )
  }

  /** The node's end, to another network namespace; it arrives there down. */
  async moveTo(elsewhere: Namespace): Promise<void> {
    await this.place.host.ip(`link set dev ${this.hostName} netns ${elsewhere.pid}`)
  }

  async moveBack(elsewhere: Namespace): Promise<void> {
    await elsewhere.ip(`link set dev ${this.hostName} netns ${this.place.host.pid}`)
    await this.setUp()
  }

  // What is sent before the kernel has taken note of the carrier is lost without a word.
  async #carries(): Promise<void> {
    await until(`a carrier on ${this.hostName}`, async () => {
      const ends = [isUp(this.place.host, this.hostName), isUp(this.place.inside, 'eth0')]
      return (await Promise.all(ends)).every(Boolean)
    })
  }
}

async function isUp(namespace: Namespace, name: string): Promise<boolean> {
  const text = await namespace.run('ip', '-json', 'link', 'show', 'dev', name)
  const [link] = JSON.parse(text) as readonly { readonly operstate: string }[]
  return link?.operstate === 'UP'
}
