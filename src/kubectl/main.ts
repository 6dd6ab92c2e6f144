// `kubectl pcap`: the user's tool. The same commands as those of selcap that need a cluster, and `explain` of its own.
import { Command } from 'commander'
import { exitHelp } from '../cmd/exitCodes.ts'
import { type Commands, run } from '../cmd/run.ts'
import { captureCommands } from './commands.ts'

const program = new Command('kubectl pcap')
  .description('Capture packets of pods: create, watch, stream and download captures')
  .addHelpText('after', exitHelp)
// Asked by Wireshark, through bin/selcap-extcap.
const hidden: Commands = { __extcap: async () => (await import('./command/extcap.ts')).extcapCommand() }

// Not awaited: as one file it is a CommonJS module. What is thrown here is a bug, and ends the process all the same.
void run(program, { ...captureCommands, ...hidden }, process.argv.slice(2))
