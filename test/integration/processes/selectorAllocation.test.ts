// What a selector allocates while it matches: nothing.
import { spawnSync } from 'node:child_process'
import test from 'ava'

// In a process of its own, where the collector's log counts what was allocated.
test('Selector.matches() allocates nothing', t => {
  const script = new URL('../../support/grammar/allocation.ts', import.meta.url).pathname
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', '--max-semi-space-size=1', script],
    { encoding: 'utf8' },
  )
  t.is(status, 0, stderr)
  const { matches, control } = JSON.parse(stdout) as { matches: number; control: number }
  t.true(control > 1_000_000, `a matcher that allocates must show: ${control} bytes`)
  t.true(matches < 50_000, `${matches} bytes in two million matches`)
})
