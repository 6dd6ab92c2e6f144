// The command `selcap`. In: the command line. Out: one subcommand, a line for each; cmd/run.ts
// loads and runs it.
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import { type Commands, run } from './cmd/run.ts'
import { captureCommands, complete } from './kubectl/commands.ts'

// Where one runs on each node old objects get little room to spare (bench/memory.ts); it takes time
// that the others would miss.
if (['agent', 'standalone'].includes(process.argv[2] ?? ''))
  setFlagsFromString('--optimize-for-size')

const commands: Commands = {
  ...captureCommands,
  explain: async () => (await import('./cmd/explain.ts')).explainCommand(),
  validate: async () => (await import('./cmd/validate.ts')).validateCommand(),
  standalone: async () => (await import('./cmd/standalone.ts')).standaloneCommand(),
  agent: async () => (await import('./cmd/agent.ts')).agentCommand(),
  controller: async () => (await import('./cmd/controller.ts')).controllerCommand(),
  gateway: async () => (await import('./cmd/gateway.ts')).gatewayCommand(),
  preflight: async () => (await import('./cmd/preflight.ts')).preflightCommand(),
  completion: async () => (await import('./cmd/completion.ts')).completionCommand(),
  'clean-node': async () => (await import('./kubectl/command/cleanNode.ts')).cleanNodeCommand(),
  get: async () => (await import('./cmd/get.ts')).getCommand(),
}

const program = new Command('selcap').description(
  'Packet capture for Kubernetes: which pods, by Calico selector, and when',
)
await run({ program, commands, args: process.argv.slice(2), complete })
