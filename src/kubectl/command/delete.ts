// `delete`: removes captures, and with them their files on every node.
import { Command } from 'commander'
import { exitHelp } from '../../cmd/exitCodes.ts'
import { CommandFailure } from '../../model/errors.ts'
import { listOf } from '../client/captures.ts'
import { capturesPath, openSession, request } from '../client/session.ts'
import { outputOption } from '../format/printer.ts'
import { apiKindOf, kindWord, sessionFor, withApi } from '../option/apiKind.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { forEachName } from '../option/forEachName.ts'

type DeleteOptions = ClusterOptions & { readonly all?: boolean; readonly output?: 'name' }

export function deleteCommand(): Command {
  return withApi(
    withCluster(
      new Command('delete')
        .description('remove captures and their files')
        .argument('[capture...]', 'names'),
    ),
  )
    .option('--all', 'all captures of the namespace')
    .addOption(outputOption('name'))
    .addHelpText('after', exitHelp)
    .action(remove)
}

async function remove(names: readonly string[], options: DeleteOptions): Promise<void> {
  if ((names.length === 0) !== (options.all === true))
    throw new CommandFailure(
      'usage',
      `Cannot delete: found ${options.all ? 'names and --all' : 'no name'}, expected names or --all`,
    )
  const session = await openSession(options)
  const targets = options.all
    ? (await listOf(session, false)).map(({ metadata }) => metadata.name)
    : names
  if (targets.length === 0)
    process.stderr.write(`No captures found in ${session.namespace} namespace\n`)
  await forEachName(targets, async name => {
    const { api, group, kube, namespace } = options.all ? session : await sessionFor(session, name)
    await request(kube, {
      path: capturesPath({ api, group }, namespace, name),
      method: 'DELETE',
      what: `delete capture "${name}"`,
    })
    process.stdout.write(
      options.output
        ? `${apiKindOf({ group }, api, name)}\n`
        : `${kindWord(group, api)} "${name}" deleted\n`,
    )
  })
}
