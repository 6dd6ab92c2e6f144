// Runs one program's command line: loads the subcommand that is asked for, and turns what it throws into a message and an exit
// code. What is none of the expected errors is a bug, and keeps its stack.
import { Command, CommanderError } from 'commander'
import { UsageError } from '../model/errors.ts'
import { CommandFailure } from './exitCodes.ts'

/** By name; only the one that is asked for is loaded, all of them for help. */
export type Commands = Readonly<Record<string, () => Promise<Command>>>

export async function run(program: Command, commands: Commands, args: readonly string[]): Promise<void> {
  process.stdout.on('error', endWithReader)
  try {
    if (args[0] === '__complete') return await completing(await withCommands(program, commands, ''), args.slice(1))
    await (await withCommands(program, commands, args[0] ?? '')).parseAsync(args, { from: 'user' })
  } catch (error) {
    process.exitCode = exitCodeOf(error)
  }
}

// Who reads has had enough, as head has: an end as good as any. A command that can be interrupted closes what it holds open;
// one that pipes into standard output (stream) listens itself.
function endWithReader(error: NodeJS.ErrnoException): void {
  if (error.syscall !== 'write') return // of what was piped into it, and told by the pipe
  if (error.code !== 'EPIPE') throw error
  if (process.stdout.listenerCount('error') > 1) return
  if (process.listenerCount('SIGTERM') > 0) process.emit('SIGTERM', 'SIGTERM')
  else process.exit(0)
}

async function withCommands(program: Command, commands: Commands, asked: string): Promise<Command> {
  program.exitOverride().configureOutput({ writeErr: text => void process.stderr.write(text) })
  const names = Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands)
  for (const name of names) program.addCommand(exiting((await commands[name]?.()) ?? new Command(name)), { hidden: name.startsWith('__') })
  return program
}

async function completing(program: Command, words: readonly string[]): Promise<void> {
  await (await import('../kubectl/completeNames.ts')).printCompletions(program, words)
}

// Of a subcommand's own subcommands too: commander does not hand this on to commands that were made elsewhere.
function exiting(command: Command): Command {
  for (const inner of command.commands) exiting(inner)
  return command.exitOverride()
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (!(error instanceof UsageError || error instanceof CommandFailure)) throw error
  if (error.message !== '') process.stderr.write(`${error.message}\n`)
  return error instanceof CommandFailure ? error.exitCode : 2
}
