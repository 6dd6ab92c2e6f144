// `kubectl capture`: the user's tool. The same commands as those of selcap that need a cluster, and `explain` of its own.
import { Command } from 'commander'
import { run } from '../run.ts'
import { captureCommands } from './commands.ts'
import { exitHelp } from './exit.ts'

const program = new Command('kubectl capture')
  .description('Capture packets of pods: create, watch, stream and download captures')
  .addHelpText('after', exitHelp)
await run(program, captureCommands, process.argv.slice(2))
