// The selcap command: finds the subcommand's file, lets it run, turns what it throws into a message and an exit code.
import { Command, CommanderError } from 'commander'
import { UsageError } from './errors.ts'

// One line a subcommand; only the one that is asked for is loaded.
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  explain: async () => (await import('./cli/explain.ts')).explainCommand(),
  validate: async () => (await import('./cli/validate.ts')).validateCommand(),
  standalone: async () => (await import('./cli/standalone.ts')).standaloneCommand(),
  agent: async () => (await import('./cli/agent.ts')).agentCommand(),
  controller: async () => (await import('./cli/controller.ts')).controllerCommand(),
  gateway: async () => (await import('./cli/gateway.ts')).gatewayCommand(),
  preflight: async () => (await import('./cli/preflight.ts')).preflightCommand(),
  get: async () => (await import('./cli/get.ts')).getCommand(),
}

const asked = process.argv[2] ?? ''
const names = Object.hasOwn(commands, asked) ? [asked] : Object.keys(commands)
const program = new Command('selcap')
  .description('Packet capture for Kubernetes: which pods, by Calico selector, and when')
  .exitOverride()
  .configureOutput({ writeErr: text => void process.stderr.write(text) })
for (const name of names) program.addCommand(((await commands[name]?.()) ?? new Command(name)).exitOverride())

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 2
  } else throw error
}
