// The file system of the captures: frozen, slow, full, read-only, a directory that nobody may
// change.
import { setTimeout as after } from 'node:timers/promises'
import { run } from '../../support/net/run.ts'
import { both, type Fault, harmless } from '../fault.ts'

export const frozen: Fault = {
  ...harmless,
  name: 'frozen',
  mayDrop: true,
  async cause({ disk, random }) {
    const ms = random.between(300, 4_000)
    await disk.freezeFor(ms)
    return `fsfreeze for ${ms} ms`
  },
}

export const slow: Fault = {
  ...harmless,
  name: 'slow',
  mayDrop: true,
  async cause({ disk, random }) {
    const times = random.between(4, 10)
    const ms = random.between(50, 400)
    for (let turn = 0; turn < times; turn++) {
      await disk.freezeFor(ms)
      await after(random.between(5, 40))
    }
    return `${times} stalls of ${ms} ms, one right after the other`
  },
}

export const full: Fault = {
  on: both,
  mayGap: true, // a capture that is stopped because of the disk
  mayDrop: true,
  name: 'full',
  async cause({ disk, random }) {
    const ms = random.between(1_000, 4_000)
    await disk.fillFor(ms)
    return `full for ${ms} ms`
  },
}

/** Linux makes no file system read-only while a file is open for writing. */
export const readOnly: Fault = {
  on: both,
  mayGap: true,
  mayDrop: true,
  name: 'readOnly',
  async cause({ target, disk, random }) {
    const ms = random.between(500, 3_000)
    await target.end('SIGTERM')
    await disk.remount('ro')
    try {
      await target.start()
      await after(ms)
    } finally {
      await disk.remount('rw')
      if (target.isRunning) await disk.remount('rw', target.pid)
    }
    return `started on a read-only disk, which is read-only for ${ms} ms more`
  },
}

export const immutable: Fault = {
  ...harmless,
  name: 'immutable',
  mayGap: true,
  mayDrop: true,
  async cause({ captures, random }) {
    const ms = random.between(1_000, 3_000)
    const directories = captures.map(({ directory }) => directory)
    await run('chattr', ['+i', ...directories])
    try {
      await after(ms)
    } finally {
      await run('chattr', ['-i', ...directories])
    }
    return `no file can be made or renamed in the captures' directories for ${ms} ms`
  },
}
