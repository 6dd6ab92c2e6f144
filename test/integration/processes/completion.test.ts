import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { Command, Option } from 'commander'
import { completionCandidates } from '../../../src/cmd/completionCandidates.ts'

const selcap = fileURLToPath(new URL('../../../bin/selcap', import.meta.url))

function program(): Command {
  const inner = new Command('show').description('one').argument('<capture>').argument('[file]')
  inner
    .option('-n, --namespace <name>', 'where')
    .option('--pod <names>', 'pods')
    .option('-q, --quiet', 'say less')
    .option('--wait [goal]', 'wait')
  inner.addOption(new Option('-o, --output <format>').choices(['yaml', 'json', 'name']))
  return new Command('p')
    .addCommand(inner)
    .addCommand(new Command('stop').description('two').argument('<capture...>'))
}

const texts = (...words: string[]) =>
  completionCandidates(program(), words).candidates.map(({ text }) => text)
const names = (...words: string[]) => completionCandidates(program(), words).names

test('complete() knows commands and options', t => {
  t.deepEqual(completionCandidates(program(), ['s']).candidates, [
    { text: 'show', about: 'one' },
    { text: 'stop', about: 'two' },
  ])
  t.deepEqual(texts('st'), ['stop'])
  t.deepEqual(texts('show', '--'), ['--namespace', '--pod', '--quiet', '--wait', '--output'])
  t.deepEqual(texts('show', '-o', ''), ['yaml', 'json', 'name'])
  t.deepEqual(texts('show', '--output=j'), ['--output=json'])
})

test('complete() asks for names where one belongs, with the options that say where', t => {
  t.deepEqual(names('show', 'w'), { kind: 'capture', prefix: '', options: {} })
  t.deepEqual(names('show', '-q', '-n', 'shop', ''), {
    kind: 'capture',
    prefix: '',
    options: { namespace: 'shop' },
  })
  t.deepEqual(names('show', '--namespace=shop', '--pod', 'a,b'), {
    kind: 'pod',
    prefix: 'a,',
    options: { namespace: 'shop' },
  })
  t.deepEqual(names('show', '--pod=a,b'), { kind: 'pod', prefix: '--pod=a,', options: {} })
  t.deepEqual(names('stop', 'one', 'two', ''), { kind: 'capture', prefix: '', options: {} })
  t.is(names('show', '-n', 's')?.kind, 'namespace')
})

test('complete() leaves files to the shell, and knows nothing beyond the last argument', t => {
  t.true(completionCandidates(program(), ['show', 'one', '']).isFile)
  t.deepEqual(completionCandidates(program(), ['show', 'one', 'two', '']), { candidates: [] })
})

for (const [shell, words, expected] of [
  ['bash', ['selcap', 'val'], ['validate']],
  ['bash', ['selcap', 'create', 'x', '--payload', ''], ['Full', 'Headers']],
  ['bash', ['selcap', 'completion', ''], ['bash', 'zsh', 'fish']],
] as const) {
  test(`selcap completion ${shell} completes "${words.join(' ')}"`, t => {
    const set = `source <(selcap completion bash); COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`
    const { stdout, stderr } = spawnSync(
      'bash',
      ['-c', `${set}; _selcap; printf '%s\\n' "\${COMPREPLY[@]}"`],
      {
        encoding: 'utf8',
        env: { ...process.env, PATH: `${dirname(selcap)}:${process.env.PATH}` },
      },
    )
    t.is(stderr, '')
    t.deepEqual(stdout.trim().split('\n'), expected)
  })
}
