// A path that is watched, or looked at by time where it cannot be watched.
import { EventEmitter } from 'node:events'
import test from 'ava'
import type { watch } from 'chokidar'
import { watchPath } from '../../../src/runtime/watchPath.ts'
import { until } from '../../support/until.ts'

const usedUp = new Error('ENOSPC: System limit for number of file watchers reached')

/** As chokidar's: closing takes its listeners away. */
class Watcher extends EventEmitter {
  isClosed = false

  async close(): Promise<void> {
    this.isClosed = true
    this.removeAllListeners()
  }
}

test('watchPath() calls by time while it cannot watch, says why once, and watches again', async t => {
  const watchers: Watcher[] = []
  const begin = (() => {
    const watcher = new Watcher()
    watchers.push(watcher)
    if (watchers.length < 3) queueMicrotask(() => watcher.emit('error', usedUp))
    return watcher
  }) as unknown as typeof watch
  const reasons: unknown[] = []
  let calls = 0
  const watched = watchPath('/etc/selcap', {
    onChange: () => calls++,
    onUnwatched: error => reasons.push(error),
    lookMs: 1,
    begin,
  })
  await until('a watch that works', () => watchers.length === 3)
  t.is(calls, 2)
  t.deepEqual(reasons, [usedUp])
  t.true(watchers[0]?.isClosed)
  t.notThrows(() => watchers[0]?.emit('error', usedUp), 'of another entry')
  watchers[2]?.emit('all')
  t.is(calls, 3)
  await watched[Symbol.asyncDispose]()
  t.true(watchers[2]?.isClosed)
})

test('watchPath() does not look any more when it is over', async t => {
  const watcher = new Watcher()
  let calls = 0
  const options = { onChange: () => calls++, lookMs: 1, begin: (() => watcher) as unknown as typeof watch } // biome-ignore format: one line
  const watched = watchPath('/etc/selcap', options)
  watcher.emit('error', usedUp)
  await watched[Symbol.asyncDispose]()
  await until('a later turn', () => true)
  t.is(calls, 0)
})
