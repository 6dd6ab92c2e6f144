// The commands over a cluster's captures, one line a subcommand.
import type { Commands } from '../run.ts'

export const captureCommands: Commands = {
  create: async () => (await import('./create.ts')).createCommand(),
  list: async () => (await import('./list.ts')).listCommand(),
  describe: async () => (await import('./describe.ts')).describeCommand(),
  watch: async () => (await import('./watch.ts')).watchCommand(),
  stop: async () => (await import('./stop.ts')).stopCommand(),
  delete: async () => (await import('./delete.ts')).deleteCommand(),
  explain: async () => (await import('./explain.ts')).explainCommand(),
  download: async () => (await import('./download.ts')).downloadCommand(),
  stream: async () => (await import('./stream.ts')).streamCommand(),
  copy: async () => (await import('./copy.ts')).copyCommand(),
  clean: async () => (await import('./copy.ts')).cleanCommand(),
}
