// A directory that is looked at by time as well as watched. The file system's watch is a stand-in
// that tells nothing, as when an event is lost, or that fails, as when inotify is used up.
import { EventEmitter } from 'node:events'
import { rmSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import type { watch } from 'chokidar'
import { ManifestWatch } from '../../../src/source/manifestWatch.ts'
import { Directory } from '../../support/directory.ts'
import { HandClock } from '../../support/handClock.ts'
import { until } from '../../support/until.ts'

class SilentWatcher extends EventEmitter {
  isClosed = false

  constructor(error?: Error) {
    super()
    queueMicrotask(() => (error ? this.emit('error', error) : this.emit('ready')))
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.removeAllListeners() // as chokidar does
  }
}

async function watching(t: ExecutionContext, errors: readonly (Error | undefined)[] = []) {
  const [files, beside] = [new Directory(t), new Directory(t)]
  files.write('a.yaml', 'a')
  const clock = new HandClock(1_000_000)
  const log = beside.logger()
  const watchers: SilentWatcher[] = []
  const seen = { changes: 0 }
  const watchDirectory = (() => {
    const watcher = new SilentWatcher(errors[watchers.length])
    watchers.push(watcher)
    return watcher
  }) as unknown as typeof watch
  const opened = await ManifestWatch.open(
    { directory: files.path, clock, log: log.log, watchDirectory },
    () => seen.changes++,
  )
  t.teardown(() => opened[Symbol.asyncDispose]())
  const look = () => clock.set(3_000)
  return { files, log, watchers, seen, look }
}

/** Looks until several tell nothing: what was written to just now is told each time. */
function settled({ seen, look }: Awaited<ReturnType<typeof watching>>): Promise<void> {
  let [quiet, before] = [0, -1]
  const isQuiet = () => {
    quiet = seen.changes === before ? quiet + 1 : 0
    before = seen.changes
    look()
    return quiet >= 5
  }
  return until('looks without a change', isQuiet, { everyMs: 50 })
}

const changes: Readonly<Record<string, (files: Directory) => unknown>> = {
  'a new file': files => files.write('b.yaml', 'b'),
  'another content of the same length': files => files.write('a.yaml', 'A'),
  'an atomic replacement': files => files.replace('a.yaml', 'b'),
  'a file that is gone': files => rmSync(files.in('a.yaml')),
}
for (const [what, change] of Object.entries(changes))
  test(`a look by time tells ${what} that the file system's watch did not tell, and nothing else`, async t => {
    const all = await watching(t)
    await settled(all)
    const before = all.seen.changes
    change(all.files)
    await until('it is told', () => {
      all.look()
      return all.seen.changes > before
    })
    t.true(all.seen.changes > before)
    await settled(all)
  })

test('a watch that fails is told once, tried again, and told when it works again', async t => {
  const usedUp = Object.assign(new Error('ENOSPC: no space left on device, watch'), { code: 'ENOSPC', syscall: 'watch' }) // biome-ignore format: one line
  const all = await watching(t, [usedUp, usedUp])
  t.true(all.watchers[0]?.isClosed)
  t.notThrows(() => all.watchers[0]?.emit('error', usedUp), 'of another entry')
  await until('a watch that works', () => {
    all.look()
    return all.log.lines().some(({ msg }) => msg === 'manifests watched again')
  })
  t.is(all.watchers.length, 3)
  const warned = all.log.lines().filter(({ level }) => level === 'warn')
  t.deepEqual(warned.map(({ reason }) => reason), [usedUp.message]) // biome-ignore format: one line
  const before = all.seen.changes
  all.watchers[2]?.emit('all')
  t.is(all.seen.changes, before + 1)
})
