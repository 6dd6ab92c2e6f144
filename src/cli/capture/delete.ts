// `delete`: removes captures, and with them their files on every node.
import { Command } from 'commander'
import { UsageError } from '../../errors.ts'
import { forEachName } from './each.ts'
import { exitHelp } from './exit.ts'
import { listCaptures } from './list.ts'
import { nameOf, outputOption } from './output.ts'
import { ask, type ClusterOptions, capturesPath, openSession, withCluster } from './session.ts'

type DeleteOptions = ClusterOptions & { readonly all?: boolean; readonly output?: 'name' }

export function deleteCommand(): Command {
  return withCluster(new Command('delete').description('remove captures and their files').argument('[capture...]', 'names'))
    .option('--all', 'all captures of the namespace')
    .addOption(outputOption('name'))
    .addHelpText('after', exitHelp)
    .action(remove)
}

async function remove(names: readonly string[], options: DeleteOptions): Promise<void> {
  if ((names.length === 0) !== (options.all === true))
    throw new UsageError(`Cannot delete: found ${options.all ? 'names and --all' : 'no name'}, expected names or --all`)
  const session = await openSession(options)
  const meant = options.all ? (await listCaptures(session, false)).map(({ metadata }) => metadata.name) : names
  if (meant.length === 0) process.stderr.write(`No captures found in ${session.namespace} namespace\n`)
  await forEachName(meant, async name => {
    const path = capturesPath(session, session.namespace, name)
    await ask(session.kube, { path, method: 'DELETE', what: `delete capture "${name}"` })
    const said = options.output ? nameOf(session.group, name) : `packetcapture.${session.group} "${name}" deleted`
    process.stdout.write(`${said}\n`)
  })
}
