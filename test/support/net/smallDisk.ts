// File systems of their own for tests of disks that are full or read-only: a tmpfs in memory, gone
// behind the test.
import { closeSync, openSync, writeSync } from 'node:fs'
import type { Scope } from './namespace.ts'
import { run } from './run.ts'

/** Mounts one of that many KiB over the directory. */
export async function mountDisk(scope: Scope, directory: string, kibibytes: number): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', directory])
  scope.teardown(() => run('umount', ['--lazy', directory]))
}

export async function remount(directory: string, how: 'ro' | 'rw'): Promise<void> {
  await run('mount', ['-o', `remount,${how}`, directory])
}

/** Adds so many bytes to a file, or as many as there is room for. */
export function fill(path: string, bytes: number): void {
  const fd = openSync(path, 'a')
  try {
    for (let left = bytes; left > 0; )
      left -= writeSync(fd, Buffer.alloc(Math.min(left, 1024 * 1024)))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  } finally {
    closeSync(fd)
  }
}
