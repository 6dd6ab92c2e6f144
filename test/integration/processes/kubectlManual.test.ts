// docs/kubectl-pcap.md and the plugin tell the same: commands, options, exit codes; and every
// example is one that it takes.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { Command } from 'commander'
import { completionCommand } from '../../../src/cmd/completion.ts'
import { captureCommands } from '../../../src/kubectl/commands.ts'
import { exitCodes, exitMeanings } from '../../../src/model/codes.ts'
import { commandsOf, sectionOf } from '../../support/markdown.ts'
import { read } from '../../support/repository.ts'

const manual = read('docs/kubectl-pcap.md')

async function program(onAction: (name: string) => void): Promise<Command> {
  const whole = new Command('kubectl pcap').exitOverride()
  for (const make of Object.values(captureCommands)) {
    const command = (await make()).exitOverride().configureOutput({ writeErr: () => {} })
    whole.addCommand(command.action(() => onAction(command.name())))
  }
  return whole.addCommand(completionCommand())
}

test('the manual has every command, and no other', t => {
  const headings = Array.from(
    sectionOf(manual, 'Commands').matchAll(/^### (\w+)$/gm),
    ([, name]) => name,
  )
  t.deepEqual(headings.toSorted(), Object.keys(captureCommands).toSorted())
})

test('the manual has every exit code with its meaning, and no other', t => {
  const rows = Array.from(
    sectionOf(manual, 'Exit codes').matchAll(/^\| (\d+) \| (.+) \|$/gm),
    ([, code, meaning]) => [Number(code), meaning],
  )
  const known = Object.entries(exitCodes).map(([reason, code]) => [
    code,
    exitMeanings[reason as keyof typeof exitCodes],
  ])
  t.deepEqual(rows, [[0, 'done'], ...known])
})

test('every option that the manual names is one', async t => {
  const whole = await program(() => {})
  const known = whole.commands.flatMap(command =>
    command.options.flatMap(({ long, short }) => [long, short]),
  )
  const named = Array.from(manual.matchAll(/(?<![\w-])--?[a-z][a-z-]*/g), ([flag]) => flag)
  t.deepEqual(
    [...new Set(named)].filter(
      flag =>
        !known.includes(flag) &&
        !['-k', '-i', '--help', '--executable', '--executables'].includes(flag),
    ),
    [],
  )
})

test('every option of create is in the manual', async t => {
  const create = (await program(() => {})).commands.find(command => command.name() === 'create')
  const section = `${sectionOf(manual, 'Commands')}${sectionOf(manual, 'The way to the gateway')}`
  t.deepEqual(
    create?.options.map(({ long }) => long ?? '').filter(flag => !section.includes(`\`${flag}`)),
    [],
  )
})

/** As a shell takes it apart, up to a pipe. */
function wordsOf(line: string): string[] {
  return execFileSync('bash', ['-c', `printf '%s\\n' ${line.split(' | ')[0]}`], {
    encoding: 'utf8',
  })
    .trim()
    .split('\n')
}

for (const line of commandsOf(manual)) {
  test(`the plugin takes: ${line}`, async t => {
    const called: string[] = []
    const [kubectl, pcap, ...words] = wordsOf(line)
    t.deepEqual([kubectl, pcap], ['kubectl', 'pcap'])
    await (await program(name => called.push(name))).parseAsync(words, { from: 'user' })
    t.deepEqual(called, [words[0]])
  })
}

test('kubectl pcap says nothing and exits 0 when whoever reads has had enough', async t => {
  const child = spawn('bin/kubectl-pcap', ['--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  const [err] = await Promise.all([text(child.stderr), once(child, 'close')])
  t.deepEqual([child.exitCode, err], [0, ''])
})
