// What surrounds the program: its log, its descriptors, its clock, the API server.
import { readdirSync } from 'node:fs'
import { setTimeout as after } from 'node:timers/promises'
import { stringify } from 'yaml'
import { run } from '../../support/net/run.ts'
import { capture } from '../../support/processes/standalone.ts'
import { both, type Fault, harmless } from '../fault.ts'

export const blockedLog: Fault = {
  ...harmless,
  on: ['standalone'],
  name: 'blockedLog',
  async cause({ target, random }) {
    const times = random.between(5, 15)
    await target.blockLog?.(async () => {
      for (let turn = 0; turn < times; turn++) {
        // each is a line of the log
        target.manifestBeside?.(stringify(capture({ selector: `app == '${turn}'` }, `x${turn}`)))
        await after(random.between(50, 300))
      }
    })
    target.manifestBeside?.(undefined)
    return `nobody reads the log while ${times} captures come and go`
  },
}

export const noDescriptors: Fault = {
  ...harmless,
  name: 'noDescriptors',
  mayGap: true,
  mayDrop: true, // no next file can be opened
  async cause(stage) {
    const { target, captures, random } = stage
    const { pid } = target
    const used = readdirSync(`/proc/${pid}/fd`).length
    const most = (
      await run('prlimit', [
        '--pid',
        String(pid),
        '--nofile',
        '--noheadings',
        '--raw',
        '--output',
        'SOFT',
      ])
    ).trim()
    await run('prlimit', ['--pid', String(pid), `--nofile=${used + random.between(0, 2)}:`])
    try {
      const { name, spec } = random.pick(captures)
      await target.apply(name, { ...spec, filters: [{ protocol: 'UDP' }] })
      await after(random.between(500, 3_000))
      await target.apply(name, spec)
    } finally {
      await run('prlimit', ['--pid', String(pid), `--nofile=${most}:`])
    }
    return `no descriptor left beyond ${used} while a filter is edited`
  },
}

/** Other processes have used inotify up: what changes is seen by time. */
export const noInotify: Fault = {
  ...harmless,
  on: ['standalone'],
  name: 'noInotify',
  mayGap: true,
  mayDrop: true,
  async cause(stage) {
    const { target } = stage
    target.useUpInotify?.(true)
    try {
      await target.end('SIGTERM')
      await target.start()
      await stage.settled()
      target.manifestBeside?.(stringify(capture({ selector: "app == 'none'" }, 'beside')))
      const isSeen = async () => {
        const states = [...(await stage.figures())].filter(([name]) =>
          /^selcap_captures\{/.test(name),
        )
        return states.reduce((sum, [, count]) => sum + count, 0) === stage.captures.length + 1
      }
      await stage.until('the new manifest', isSeen)
    } finally {
      target.useUpInotify?.(false)
      target.manifestBeside?.(undefined)
    }
    return 'started without inotify, and saw a new manifest'
  },
}

export const clockSteps: Fault = {
  ...harmless,
  name: 'clockSteps',
  async cause({ target, random }) {
    const offsets = Array.from({ length: random.between(1, 3) }, () =>
      random.pick([-86_400_000, -3_600_000, -5_000, -300, 700, 30_000, 1_800_000]),
    )
    try {
      for (const offset of offsets) {
        target.setClock(offset)
        await after(random.between(500, 2_500))
      }
    } finally {
      target.setClock(0)
    }
    return `the program's clock is off by ${offsets.join(', then ')} ms`
  },
}

export const apiServerKilled: Fault = {
  ...harmless,
  on: ['agent'],
  name: 'apiServerKilled',
  mayDrop: true, // its start takes all that a small machine has
  async cause({ target, random }) {
    const ms = random.between(500, 5_000)
    await target.interruptApiServer?.()
    await after(ms)
    await target.resumeApiServer?.()
    return `API server killed, started again after ${ms} ms`
  },
}

/** No fault at all: what is found then is found for want of one. */
export const none: Fault = {
  ...harmless,
  on: both,
  name: 'none',
  async cause({ random }) {
    const ms = random.between(500, 2_000)
    await after(ms)
    return `nothing for ${ms} ms`
  },
}
