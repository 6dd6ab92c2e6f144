// Interfaces: down, up and down again, renamed, made anew, in another network namespace.
import { setTimeout as after } from 'node:timers/promises'
import { makeNamespace } from '../../support/net/namespace.ts'
import { both, type Fault } from '../fault.ts'
import type { Endpoint, Stage } from '../stage.ts'

const interruption = { on: both, mayGap: true, mayDrop: false } as const

/** No packet passes between the two. */
async function cut(
  stage: Stage,
  endpoint: Endpoint,
  takeAway: () => Promise<void>,
  bringBack: () => Promise<void>,
  ms: number,
): Promise<void> {
  const isOver = stage.excuse([endpoint])
  try {
    await takeAway()
    await after(ms)
  } finally {
    await bringBack()
    isOver()
  }
}

function cutDown(stage: Stage, endpoint: Endpoint, ms: number): Promise<void> {
  const { link } = endpoint
  const [takeAway, bringBack] = [() => link.setDown(), () => link.setUp()]
  return cut(stage, endpoint, takeAway, bringBack, ms)
}

export const down: Fault = {
  ...interruption,
  name: 'down',
  async cause(stage) {
    const endpoint = stage.random.pick(stage.wanted)
    const ms = stage.random.between(0, 2_500)
    await cutDown(stage, endpoint, ms)
    return `interface of ${endpoint.name} down for ${ms} ms`
  },
}

export const flapping: Fault = {
  ...interruption,
  name: 'flapping',
  async cause(stage) {
    const endpoint = stage.random.pick(stage.wanted)
    const times = stage.random.between(3, 6)
    for (let turn = 0; turn < times; turn++) {
      await cutDown(stage, endpoint, stage.random.between(0, 60))
      await after(stage.random.between(0, 300))
    }
    return `interface of ${endpoint.name} down and up ${times} times`
  },
}

export const recreated: Fault = {
  ...interruption,
  name: 'recreated',
  async cause(stage) {
    const endpoint = stage.random.pick(stage.wanted)
    const ms = stage.random.between(0, 1_000)
    const { link } = endpoint
    await cut(
      stage,
      endpoint,
      () => link.remove(),
      () => link.create(),
      ms,
    )
    return `interface of ${endpoint.name} made anew after ${ms} ms`
  },
}

export const renamed: Fault = {
  ...interruption,
  name: 'renamed',
  async cause({ random, wanted }) {
    const { name, link } = random.pick(wanted)
    const ms = random.between(100, 2_000)
    await link.rename(link.hostName, 'renamed0') // up all the time: packets pass
    try {
      await after(ms)
    } finally {
      await link.rename('renamed0', link.hostName)
    }
    return `interface of ${name} has another name for ${ms} ms`
  },
}

export const moved: Fault = {
  ...interruption,
  name: 'moved',
  async cause(stage) {
    const endpoint = stage.random.pick(stage.wanted)
    const ms = stage.random.between(100, 1_500)
    const { link } = endpoint
    const [away, back] = [() => link.moveTo(stage.elsewhere), () => link.moveBack(stage.elsewhere)]
    await cut(stage, endpoint, away, back, ms)
    return `interface of ${endpoint.name} in another namespace for ${ms} ms`
  },
}

/** An interface's name is what is captured: it leads to the other one until it is given back. */
export const swapped: Fault = {
  ...interruption,
  name: 'swapped',
  async cause(stage) {
    const one = stage.random.pick(stage.wanted)
    const other = stage.random.pick(stage.endpoints.filter(each => each !== one))
    const ms = stage.random.between(100, 1_500)
    const byName = stage.captures.filter(({ spec }) => spec.vantage !== 'PodNetns')
    const names = [one, other].map(({ name }) => name)
    const seen = names.filter(name => stage.wanted.some(each => each.name === name))
    const isOver = stage.cross(one, other)
    const swap = async () => {
      const before = await stage.claims()
      await one.link.swapNames(other.link)
      await stage.untilGaps(seen, byName, before)
      await stage.settled()
    }
    await swap()
    const isFollowed = stage.noteAbsent(names, byName)
    await after(ms)
    isFollowed()
    await swap()
    isOver()
    return `interfaces of ${names.join(' and ')} have each other's names for ${ms} ms`
  },
}

export const namespaceRemade: Fault = {
  ...interruption,
  on: ['agent'],
  name: 'namespaceRemade',
  async cause(stage) {
    const { name, link, sender } = stage.random.pick(stage.wanted)
    const ms = stage.random.between(0, 1_000)
    const endpoint = stage.wanted.filter(each => each.name === name)
    const isOver = stage.excuse(endpoint)
    await sender.pause()
    const { inside: old } = link.place
    await link.remove()
    const inside = await makeNamespace(stage.scope)
    await sender.enter(inside)
    await old.close()
    await after(ms)
    await link.createIn(inside)
    stage.target.showNamespace?.(name, inside)
    isOver()
    return `network namespace of ${name} made anew under its name after ${ms} ms`
  },
}
