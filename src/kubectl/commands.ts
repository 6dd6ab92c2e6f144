// The subcommands of the plugin, one per line, and the completion of their words.
import type { Commands, RunOptions } from '../cmd/run.ts'

export const captureCommands: Commands = {
  create: async () => (await import('./command/create.ts')).createCommand(),
  list: async () => (await import('./command/list.ts')).listCommand(),
  describe: async () => (await import('./command/describe.ts')).describeCommand(),
  watch: async () => (await import('./command/watch.ts')).watchCommand(),
  stop: async () => (await import('./command/stop.ts')).stopCommand(),
  delete: async () => (await import('./command/delete.ts')).deleteCommand(),
  explain: async () => (await import('./command/explain.ts')).explainCommand(),
  download: async () => (await import('./command/download.ts')).downloadCommand(),
  stream: async () => (await import('./command/stream.ts')).streamCommand(),
  copy: async () => (await import('./command/copy.ts')).copyCommand(),
  install: async () => (await import('./command/install.ts')).installCommand(),
  uninstall: async () => (await import('./command/uninstall.ts')).uninstallCommand(),
  clean: async () => (await import('./command/copy.ts')).cleanCommand(),
}

export const complete: RunOptions['complete'] = async (program, words) =>
  (await import('./completeNames.ts')).printCompletions(program, words)
