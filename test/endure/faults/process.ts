// The program itself: killed, ended, held.
import { setTimeout as after } from 'node:timers/promises'
import { both, type Fault, harmless } from '../fault.ts'

const restart = { on: both, mayGap: true, mayDrop: true } as const

export const killed: Fault = {
  ...restart,
  name: 'killed',
  async cause({ target, random }) {
    const ms = random.between(0, 1_500)
    await target.end('SIGKILL')
    await after(ms)
    await target.start()
    return `kill -9, started again after ${ms} ms`
  },
}

export const ended: Fault = {
  ...restart,
  name: 'ended',
  async cause({ target, random }) {
    const ms = random.between(0, 1_500)
    await target.end('SIGTERM')
    await after(ms)
    await target.start()
    return `SIGTERM, started again after ${ms} ms`
  },
}

export const held: Fault = {
  ...harmless,
  name: 'held',
  mayDrop: true, // the ring bridges what it can
  async cause({ target, random }) {
    const ms = random.between(200, 3_000)
    const { pid } = target
    process.kill(pid, 'SIGSTOP')
    try {
      await after(ms)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    return `SIGSTOP for ${ms} ms`
  },
}
