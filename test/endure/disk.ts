// An ext4 of its own in a file, mounted through a loop device over a directory, and what can go
// wrong with it. Nothing here looks into it while it is frozen: that would wait for the thaw.
import { closeSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import type { Scope } from '../support/net/namespace.ts'
import { run } from '../support/net/run.ts'
import type { Guard } from './guard.ts'

const mebibytes = 128

export class Disk {
  readonly directory: string
  readonly #guard: Guard
  readonly #filler: string

  private constructor(directory: string, guard: Guard) {
    this.directory = directory
    this.#guard = guard
    this.#filler = join(directory, '.filler')
  }

  static async mount(scope: Scope, guard: Guard, directory: string, image: string): Promise<Disk> {
    await run('truncate', ['--size', `${mebibytes}M`, image])
    await run('mkfs.ext4', ['-q', '-F', '-m', '0', image])
    await run('mount', ['-o', 'loop', image, directory])
    scope.teardown(() => run('umount', ['--lazy', directory]))
    await guard.ask('mounted', directory)
    rmSync(join(directory, 'lost+found'), { recursive: true })
    return new Disk(directory, guard)
  }

  get usedBytes(): number {
    const { blocks, bfree, bsize } = statfsSync(this.directory)
    return (blocks - bfree) * bsize
  }

  async freezeFor(ms: number): Promise<void> {
    await this.#guard.ask('freeze', this.directory)
    await after(ms)
    await this.#guard.ask('thaw', this.directory)
  }

  /** To the last byte, and again what others let go of meanwhile. */
  async fillFor(ms: number): Promise<void> {
    const endMs = performance.now() + ms
    try {
      do {
        fillUp(this.#filler)
        await after(100)
      } while (performance.now() < endMs)
    } finally {
      rmSync(this.#filler, { force: true })
    }
  }

  /**
   * Refused while a file of it is open for writing. `pid`: of a process that may have a mount
   * namespace of its own, where the mount was copied as it was.
   */
  async remount(how: 'ro' | 'rw', pid = process.pid): Promise<void> {
    const within = [`--mount=/proc/${pid}/ns/mnt`, 'mount', '-o', `remount,${how}`]
    await run('nsenter', [...within, this.directory])
  }
}

function fillUp(path: string): void {
  const fd = openSync(path, 'a')
  try {
    for (let size = 1024 * 1024; size >= 512; size /= 2) while (written(fd, size));
  } finally {
    closeSync(fd)
  }
}

function written(fd: number, size: number): boolean {
  try {
    return writeSync(fd, Buffer.alloc(size)) === size
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    return false
  }
}
