// `stop`: ends a capture now and keeps its files. A capture that has not begun loses its start
// time, because the end must come after the start.
import { Command } from 'commander'
import { exitHelp } from '../../cmd/exitCodes.ts'
import { capturesPath, openSession, request, type Session } from '../client/session.ts'
import { getCapture } from '../client/wait.ts'
import { nameOf, outputOption } from '../format/printer.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { forEachName } from '../option/forEachName.ts'

type StopOptions = ClusterOptions & { readonly output?: 'name' }

export function stopCommand(): Command {
  return withCluster(
    new Command('stop')
      .description('end captures now; their files stay')
      .argument('<capture...>', 'names'),
  )
    .addOption(outputOption('name'))
    .addHelpText('after', exitHelp)
    .action(async (names: readonly string[], options: StopOptions) => {
      const session = await openSession(options)
      await forEachName(names, async name => {
        const said = await stop(session, name)
        process.stdout.write(`${options.output ? nameOf(session.group, name) : said}\n`)
      })
    })
}

async function stop(session: Session, name: string): Promise<string> {
  const { spec } = await getCapture(session, name)
  const nowMs = session.nowMs()
  if (spec.endTime !== undefined && Date.parse(spec.endTime) <= nowMs)
    return `${name} ended already at ${spec.endTime}`
  const isAhead = spec.startTime !== undefined && Date.parse(spec.startTime) >= nowMs
  const change = { endTime: new Date(nowMs).toISOString(), ...(isAhead && { startTime: null }) }
  await request(session.kube, {
    path: capturesPath(session, session.namespace, name),
    method: 'PATCH',
    query: { fieldManager: 'kubectl-pcap' },
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { spec: change },
    what: `stop capture "${name}"`,
  })
  return `${name} ${isAhead ? 'ended before it began' : 'stopped'}`
}
