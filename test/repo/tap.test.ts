// The counts that `npm test` closes with are those of the TAP stream, and no failure goes unseen.
import test from 'ava'
import { TapCount } from '../../scripts/tap.mjs'

function counted(exitCode: number | string, ...lines: readonly string[]) {
  const count = new TapCount()
  const printed = [...lines.map(line => count.take(line)), count.end(exitCode)].filter(
    text => text !== undefined,
  )
  return { passed: count.passed, failed: count.failed, skipped: count.skipped, printed }
}

test('TapCount counts what passed and prints nothing of it', t => {
  t.deepEqual(counted(0, 'TAP version 13', 'ok 1 - a() does x', 'ok 2 - b # 2 does y', '1..2'), {
    passed: 2,
    failed: 0,
    skipped: [],
    printed: [],
  })
})

test('TapCount prints a failure with its details, and nothing of what follows', t => {
  const { failed, printed } = counted(
    1,
    'not ok 1 - a()',
    '  ---',
    '    name: E',
    '  ...',
    'ok 2 - b()',
    '  ---',
    '1..2',
  )
  t.is(failed, 1)
  t.deepEqual(printed, ['✘ a()', '  ---', '    name: E', '  ...'])
})

test('TapCount names the file of a test, not the group that ran it', t => {
  const { printed } = counted(1, 'not ok 1 - repo › 1 › test/repo/a.test.ts › a › b', '1..1')
  t.deepEqual(printed, ['✘ test/repo/a.test.ts › a › b'])
})

test('TapCount names what was skipped and what is still to do', t => {
  t.deepEqual(counted(0, 'ok 1 - a() # SKIP', 'not ok 2 - b() # TODO', '1..2'), {
    passed: 0,
    failed: 0,
    skipped: ['a()', 'b() (to do)'],
    printed: [],
  })
})

test('TapCount counts a runner that fell over as a failure', t => {
  t.deepEqual(counted(1, 'ok 1 - a()'), {
    passed: 1,
    failed: 1,
    skipped: [],
    printed: ['✘ The test runner ended with 1 before its last test'],
  })
  t.is(counted('SIGKILL', 'not ok 1 - a()').failed, 2)
  t.is(counted(1, 'not ok 1 - a()', '1..1').failed, 1)
})

test('TapCount counts a runner that fell over also after a run that had a failure', t => {
  const count = new TapCount()
  for (const line of ['not ok 1 - a()', '1..1']) count.take(line)
  t.is(count.end(1), undefined)
  for (const line of ['ok 1 - b()', '1..1']) count.take(line)
  t.is(count.end('SIGSEGV'), '✘ The test runner ended with SIGSEGV')
  t.is(count.failed, 2)
})

test('TapCount adds what another run counted', t => {
  const count = new TapCount()
  count.add({ passed: 2, failed: 1, skipped: ['a'] })
  t.deepEqual([count.passed, count.failed, count.skipped], [2, 1, ['a']])
})

test('TapCount takes a run without tests for a failure, unless titles were chosen', t => {
  const count = new TapCount()
  count.take('1..0')
  t.is(count.end(1, true), undefined)
  count.take('1..0')
  t.is(count.end(1), '✘ The test runner ended with 1')
})

test('TapCount sees the second run that fell over when the first ended well', t => {
  const count = new TapCount()
  for (const line of ['ok 1 - a()', '1..1']) count.take(line)
  t.is(count.end(0), undefined)
  t.truthy(count.end(1))
  t.is(count.failed, 1)
})

test('TapCount.slowest() gives the slowest test of each file, the slowest first, and prints none of them', t => {
  const count = new TapCount()
  const of = (ms: number, testFile: string, title: string) =>
    count.take(`# took ${JSON.stringify({ ms, testFile, title })}`)
  t.is(of(5, 'a.test.ts', 'x'), undefined)
  for (const [ms, file, title] of [
    [9, 'b.test.ts', 'y'],
    [7, 'a.test.ts', 'z'],
    [8, 'c.test.ts', 'w'],
  ] as const)
    of(ms, file, title)
  t.deepEqual(count.slowest(2), [
    { ms: 9, testFile: 'b.test.ts', title: 'y' },
    { ms: 8, testFile: 'c.test.ts', title: 'w' },
  ])
  t.deepEqual(count.slowest(9).map(({ title }) => title), ['y', 'w', 'z']) // biome-ignore format: one line
})

test('TapCount.replace() puts the second run of a file in the place of the first, and names what passes now', t => {
  const run = (
    ...results: readonly (readonly [testFile: string, title: string, isPassed: boolean])[]
  ) => {
    const count = new TapCount()
    for (const [testFile, title, isPassed] of results) {
      count.take(`${isPassed ? 'ok' : 'not ok'} 1 - ${title}`)
      count.take(`# took ${JSON.stringify({ ms: 1, testFile, title, isPassed })}`)
    }
    return count
  }
  const first = run(['a', 'w', true], ['a', 'x', false], ['a', 'y', false], ['b', 'z', true])
  t.deepEqual(first.failures.map(({ title }) => title), ['x', 'y']) // biome-ignore format: one line
  const gone = first.replace(['a'], run(['a', 'w', true], ['a', 'x', true], ['a', 'y', false]))
  t.deepEqual(gone.map(({ title }) => title), ['x']) // biome-ignore format: one line
  t.deepEqual([first.passed, first.failed], [3, 1])
  t.deepEqual(first.slowest(9).map(({ testFile }) => testFile).toSorted(), ['a', 'b']) // biome-ignore format: one line
})

test('a failure whose error has no frames, or fields without a value, is named', async t => {
  await import('../../scripts/ava.config.mjs' as string)
  const reporter = (await import('supertap' as string)) as {
    readonly test: (title: string, result: object) => string
  }
  const error = Object.assign(new Error('none'), { stack: 'Error: none', field: undefined })
  const text = reporter.test('a()', { passed: false, index: 1, error })
  t.regex(text, /^not ok 1 - a\(\)\n {2}---\n[\s\S]*message: none/)
})
