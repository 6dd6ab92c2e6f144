import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const selcap = fileURLToPath(new URL('../../../bin/selcap', import.meta.url))

function run(
  args: readonly string[],
  input = '',
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(selcap, ['explain', ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
}

test('selcap explain prints the canonical form, the match and what decided', t => {
  const { status, stdout } = run([
    `app=='x' && tier in {"b",'a'}`,
    '--label',
    'app=x',
    '-l',
    'tier=db',
  ])
  t.is(status, 0)
  t.regex(
    stdout,
    /^canonical: \(app == "x" && tier in \{"a", "b"\}\)\nunique id: s:\S{38}\nmatch: {5}false\ndecided: {3}tier in \{"a", "b"\} is false \(label tier is "db"\)\n$/,
  )
})

test('selcap explain says that a label is absent when it decided', t => {
  t.regex(
    run(['has(a)']).stdout,
    /match: {5}false\ndecided: {3}has\(a\) is false \(label a is absent\)\n$/,
  )
})

test('selcap explain shows a caret and exits 1 when the selector is none', t => {
  const { status, stdout, stderr } = run(['app == x'])
  t.is(status, 1)
  t.is(stdout, '')
  t.is(stderr, 'expected string\n  app == x\n         ^\n')
})

for (const [what, args] of [
  ['nothing', []],
  ['a label without a value', ['all()', '--label', 'a']],
  ['an unknown option', ['all()', '--lable', 'a=b']],
  ['a selector and --json', ['all()', '--json']],
] as const) {
  test(`selcap explain exits 2 with a message when it is given ${what}`, t => {
    const { status, stderr } = run(args)
    t.is(status, 2)
    t.regex(stderr, /expected|unknown option/)
    t.notRegex(stderr, /\n\s+at /)
  })
}

test('selcap explain --json answers each line', t => {
  const lines = [
    '{"selector":"has(a)","labels":{"a":""}}',
    'nonsense',
    '{"selector":"a ="}',
    '{"selector":"!has(toString)","labels":{}}',
    '{"selector":7}',
  ]
  const answers = run(['--json'], lines.join('\n'))
    .stdout.trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)
  t.deepEqual(answers[0], {
    match: true,
    canonical: 'has(a)',
    uniqueId: 's:JpRGrxZ4kdS6g7WoF-uG_g7qlh2ipw2zGYBMpQ',
  })
  t.regex(String(answers[1]?.error), /^Cannot read the line as JSON/)
  t.deepEqual(answers[2], { error: 'expected ==', offset: 2 })
  t.is(answers[3]?.match, true)
  t.regex(String(answers[4]?.error), /expected \{"selector": string/)
})

test('selcap explain --json ends quietly when nobody reads on', t => {
  const line = '{"selector":"has(a)"}\\n'
  const { status, stderr, stdout } = spawnSync(
    'sh',
    ['-c', `yes '${line.slice(0, -2)}' | head -n 200000 | ${selcap} explain --json | head -n 1`],
    { encoding: 'utf8' },
  )
  t.is(status, 0)
  t.is(stderr, '')
  t.regex(stdout, /^\{"match":false/)
})
