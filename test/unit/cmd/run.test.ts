import test from 'ava'
import { Command } from 'commander'
import { plainFlags } from '../../../src/cmd/run.ts'

const { options } = new Command()
  .option('-n, --namespace <name>')
  .option('-A, --all-namespaces')
  .option('--merge [file]')
  .option('--filter <text>')

for (const [words, expected] of [
  [
    ['-n=shop', 'web'],
    ['-n', 'shop', 'web'],
  ],
  [
    ['--namespace=shop', '-nshop'],
    ['--namespace=shop', '-nshop'],
  ],
  [
    ['-A=true', '--all-namespaces=1'],
    ['-A', '--all-namespaces'],
  ],
  [['--all-namespaces=false', 'web'], ['web']],
  [['--all-namespaces=maybe'], ['--all-namespaces=maybe']],
  [
    ['--merge=true', '-x=1'],
    ['--merge=true', '-x=1'],
  ],
  [
    ['--filter', '-n=3'],
    ['--filter', '-n=3'],
  ],
  [
    ['--', '-n=3'],
    ['--', '-n=3'],
  ],
] as const)
  test(`plainFlags() reads ${words.join(' ')}`, t =>
    t.deepEqual(plainFlags(options, words), [...expected]))
