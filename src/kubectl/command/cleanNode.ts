// `selcap clean-node`: removes what selcap left on this node; `uninstall` runs it in a pod on each.
// In: the directories, and where the node's root is mounted. Out: a line for each directory. With
// --stay it does nothing until it is stopped: its pod is ready.
import { join } from 'node:path'
import { Command } from 'commander'
import { type Cleaned, cleanCaptures, cleanResults } from '../../files/cleanNode.ts'
import { stopSignal } from '../../runtime/process.ts'
import { mountedRoot } from '../install/cleanDaemonSet.ts'

type CleanNodeOptions = {
  readonly captures: readonly string[]
  readonly results: readonly string[]
  readonly host: string
  readonly stay?: boolean
}

export function cleanNodeCommand(
  write: (text: string) => void = text => process.stdout.write(text),
): Command {
  const again = (value: string, before: readonly string[]) => [...before, value]
  return new Command('clean-node')
    .description('remove what selcap left on this node; uninstall runs it')
    .option('--captures <directory>', 'with a state file beside each capture', again, [])
    .option('--results <directory>', 'archives and single files', again, [])
    .option('--host <directory>', "where the node's directories are mounted", '')
    .option('--stay', 'wait until it is stopped')
    .action((options: CleanNodeOptions) => clean(options, write))
}

async function clean(
  { captures, results, host, stay }: CleanNodeOptions,
  write: (text: string) => void,
): Promise<void> {
  if (stay) {
    const signal = stopSignal()
    const wait = setInterval(() => {}, 60_000)
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
    clearInterval(wait)
    return
  }
  const topOf = (directory: string) => join(host, mountedRoot(directory))
  for (const each of captures)
    write(lineOf(each, await cleanCaptures(join(host, each), topOf(each))))
  for (const each of results) write(lineOf(each, await cleanResults(join(host, each), topOf(each))))
}

function lineOf(directory: string, { removed, left }: Cleaned): string {
  const stays = left.length === 0 ? '' : `; not of selcap, stays: ${left.slice(0, 20).join(', ')}`
  return `${directory}: ${removed} files removed${stays}\n`
}
