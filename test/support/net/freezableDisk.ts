// A disk that stops answering: ext4 in a file of its own, mounted over a directory, frozen and
// thawed. A guard thaws it however the test ends. In: a directory. Out: the disk, or why there can
// be none: only the first user of a machine may mount a loop device.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scope } from './namespace.ts'
import { run } from './run.ts'

const guardSeconds = 120 // no test needs a disk frozen for longer

export type FreezableDisk = { freeze(): Promise<void>; thaw(): Promise<void> }

/** Mounts one of so many MiB. */
export async function freezableDisk(
  scope: Scope,
  directory: string,
  mebibytes = 32,
): Promise<FreezableDisk> {
  const place = mkdtempSync(join(tmpdir(), 'selcap-disk-'))
  const image = join(place, 'image')
  scope.teardown(() => rmSync(place, { recursive: true, force: true }))
  await run('truncate', ['--size', `${mebibytes}M`, image])
  await run('mkfs.ext4', ['-q', '-F', image])
  await run('mount', ['-o', 'loop', image, directory])
  const thaw = async (): Promise<void> => {
    await run('fsfreeze', ['--unfreeze', directory]).catch(() => {}) // it is not frozen
  }
  scope.teardown(() => run('umount', ['--lazy', directory]))
  scope.teardown(thaw)
  return {
    thaw,
    async freeze() {
      // Reads the end of its input when the test process dies, by whatever signal.
      const guard = `timeout ${guardSeconds} cat; fsfreeze --unfreeze "$0"`
      const child = spawn('setsid', ['sh', '-c', guard, directory], {
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      scope.teardown(() => child.stdin.end())
      await run('fsfreeze', ['--freeze', directory])
    },
  }
}

/** Why no disk can be frozen here; undefined: one can. */
export async function freezeRefusal(): Promise<string | undefined> {
  const closers: (() => unknown)[] = []
  const directory = mkdtempSync(join(tmpdir(), 'selcap-disk-'))
  try {
    const disk = await freezableDisk({ teardown: close => closers.unshift(close) }, directory)
    await disk.freeze()
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    for (const close of closers) await close()
    rmSync(directory, { recursive: true, force: true })
  }
}
