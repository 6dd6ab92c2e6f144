// Runs one program's command line. In: the program, its subcommands, the arguments. Out: the
// subcommand's work, an exit code. Refuses nothing itself: an expected error becomes a message and
// an exit code, any other is a bug and keeps its stack.
import { Command, CommanderError, type Option } from 'commander'
import { exitCodes } from '../model/codes.ts'
import { CommandFailure, ExpectedError } from '../model/errors.ts'

/** By name; only the subcommand of the command line is loaded, all of them for help. */
export type Commands = Readonly<Record<string, () => Promise<Command>>>

export type RunOptions = {
  readonly program: Command
  readonly commands: Commands
  readonly args: readonly string[]
  /** Prints candidates for the last word; loaded only for completion. */
  readonly complete: (program: Command, words: readonly string[]) => Promise<void>
}

export async function run({ program, commands, args, complete }: RunOptions): Promise<void> {
  process.stdout.on('error', endWithReader)
  process.stderr.on('error', () => {}) // nobody reads the messages: the exit code tells
  try {
    if (args[0] === '__complete')
      return await complete(await withCommands(program, commands, ''), args.slice(1))
    const [name = '', ...rest] = args
    const whole = await withCommands(program, commands, name)
    const command = whole.commands.find(each => each.name() === name)
    const words = command ? [name, ...plainFlags(command.options, rest)] : args
    await whole.parseAsync(words, { from: 'user' })
  } catch (error) {
    process.exitCode = exitCodeOf(error)
  }
}

/**
 * The flags as commander reads them: kubectl also takes `-n=shop`, `--all-namespaces=true`, and
 * `=false` for a flag that is not set.
 */
export function plainFlags(options: readonly Option[], words: readonly string[]): string[] {
  const find = (flag: string) => options.find(({ short, long }) => flag === short || flag === long)
  const isValue = (before: string | undefined) =>
    before !== undefined && !before.includes('=') && find(before)?.required === true
  const end = words.indexOf('--') < 0 ? words.length : words.indexOf('--')
  const plain = words.slice(0, end).flatMap((word, index) => {
    const [, flag = '', value = ''] = /^(-[A-Za-z]|--[\w-]+)=(.*)$/s.exec(word) ?? []
    const option = flag === '' || isValue(words[index - 1]) ? undefined : find(flag)
    if (!option) return [word]
    if (!option.isBoolean()) return flag === option.short ? [flag, value] : [word]
    if (/^(1|t|true)$/i.test(value)) return [flag]
    return /^(0|f|false)$/i.test(value) ? [] : [word]
  })
  return [...plain, ...words.slice(end)]
}

// The reader closed the pipe, as `head` does: exit successfully. A command that can be interrupted
// closes its files first; one that pipes into standard output (stream) listens itself.
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.syscall !== 'write') return // an error of the pipe's source, which the pipe reports
  if (error.code !== 'EPIPE') throw error
  if (process.stdout.listenerCount('error') > 1) return
  if (process.listenerCount('SIGTERM') > 0) process.emit('SIGTERM', 'SIGTERM')
  else process.exit(0)
}

async function withCommands(program: Command, commands: Commands, name: string): Promise<Command> {
  program.exitOverride().configureOutput({ writeErr: text => void process.stderr.write(text) })
  const names = Object.hasOwn(commands, name) ? [name] : Object.keys(commands)
  for (const each of names)
    program.addCommand(throwing((await commands[each]?.()) ?? new Command(each)), {
      hidden: each.startsWith('__'),
    })
  return program
}

// Subcommands of a subcommand too: commander passes exitOverride() on only to commands that it made
// itself.
function throwing(command: Command): Command {
  for (const inner of command.commands) throwing(inner)
  return command.exitOverride()
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (!(error instanceof ExpectedError)) throw error
  if (error.message !== '') process.stderr.write(`${error.message}\n`)
  return error instanceof CommandFailure ? error.exitCode : exitCodes.failed
}
