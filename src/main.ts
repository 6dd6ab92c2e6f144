// The selcap command: one line a subcommand. cli/run.ts loads the one that is asked for and tells how it ended.
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import { captureCommands } from './cli/capture/commands.ts'
import { type Commands, run } from './cli/run.ts'

// Where one runs on each node old objects get little room to spare (bench/memory.ts); it takes time that the others would miss.
if (['agent', 'standalone'].includes(process.argv[2] ?? '')) setFlagsFromString('--optimize-for-size')

const commands: Commands = {
  ...captureCommands,
  explain: async () => (await import('./cli/explain.ts')).explainCommand(),
  validate: async () => (await import('./cli/validate.ts')).validateCommand(),
  standalone: async () => (await import('./cli/standalone.ts')).standaloneCommand(),
  agent: async () => (await import('./cli/agent.ts')).agentCommand(),
  controller: async () => (await import('./cli/controller.ts')).controllerCommand(),
  gateway: async () => (await import('./cli/gateway.ts')).gatewayCommand(),
  preflight: async () => (await import('./cli/preflight.ts')).preflightCommand(),
  completion: async () => (await import('./cli/completion.ts')).completionCommand(),
  get: async () => (await import('./cli/get.ts')).getCommand(),
}

const program = new Command('selcap').description('Packet capture for Kubernetes: which pods, by Calico selector, and when')
await run(program, commands, process.argv.slice(2))
