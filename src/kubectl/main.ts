// The plugin `kubectl pcap`. In: the command line. Out: one of the commands over a cluster's
// captures; `selcap` has the same commands.
import { Command } from 'commander'
import { exitHelp } from '../cmd/exitCodes.ts'
import { type Commands, run } from '../cmd/run.ts'
import { captureCommands, complete } from './commands.ts'

const program = new Command('kubectl pcap')
  .description('Capture packets of pods: create, watch, stream and download captures')
  .addHelpText('after', exitHelp)
// Wireshark calls it through bin/selcap-extcap.
const hidden: Commands = {
  __extcap: async () => (await import('./command/extcap.ts')).extcapCommand(),
}

// Not awaited: the bundle is a CommonJS module. A rejection is a bug, and ends the process.
void run({
  program,
  commands: { ...captureCommands, ...hidden },
  args: process.argv.slice(2),
  complete,
})
