// `copy` and `clean`: calicoctl's `captured-packets copy` and `clean`, with the same output lines,
// for existing scripts.

import { join } from 'node:path'
import { Command } from 'commander'
import { exitHelp, interruptibly } from '../../cmd/exitCodes.ts'
import { CommandFailure } from '../../model/errors.ts'
import { listCaptures } from '../client/captures.ts'
import { downloadFiles, refuseMissing } from '../client/downloadFiles.ts'
import { failureOf, type Gateway, openGateway } from '../client/gateway.ts'
import { listRemoteFiles, type MissingFile, type RemoteFile } from '../client/remoteFiles.ts'
import { openSession, type Session } from '../client/session.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { type GatewayClientOptions, withGateway } from '../option/gateway.ts'

type CopyOptions = ClusterOptions &
  GatewayClientOptions & { readonly allNamespaces?: boolean; readonly dest: string }

const cleanMs = 60_000

export function copyCommand(): Command {
  return common('copy', 'copy the files of a capture into one directory, as calicoctl does')
    .option('--dest <dir>', 'where to', '.')
    .action(async (name: string, options: CopyOptions) => {
      const missing: MissingFile[] = []
      await forEach(name, options, async (gateway, namespace, signal) => {
        missing.push(...(await copy(gateway, namespace, name, options.dest, signal)))
        process.stdout.write(`Copy capture files for ${namespace}/${name} to ${options.dest}\n`)
      })
      refuseMissing(missing)
    })
}

export function cleanCommand(): Command {
  return common(
    'clean',
    'remove the files of a capture that has finished, as calicoctl does',
  ).action(async (name: string, options: CopyOptions) =>
    forEach(name, options, async (gateway, namespace) => {
      const path = `/packet-capture/files/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/files.zip`
      const response = await gateway.request({
        path,
        method: 'DELETE',
        signal: AbortSignal.timeout(cleanMs),
      })
      const status = response.statusCode ?? 0
      if (status < 200 || status >= 300)
        throw await failureOf(response, `clean ${namespace}/${name}`)
      response.resume()
      process.stdout.write(`Clean capture files for ${namespace}/${name}\n`)
    }),
  )
}

function common(name: string, description: string): Command {
  const command = new Command(name).description(description).argument('<capture>', 'its name')
  return withGateway(withCluster(command))
    .option('-a, --all-namespaces', 'captures of that name in all namespaces')
    .addHelpText('after', exitHelp)
}

type Act = (gateway: Gateway, namespace: string, signal: AbortSignal) => Promise<void>

async function forEach(name: string, options: CopyOptions, act: Act): Promise<void> {
  const session = await openSession(options)
  const namespaces = options.allNamespaces ? await namespacesOf(session, name) : [session.namespace]
  await interruptibly(async signal => {
    await using gateway = await openGateway(session, options)
    for (const namespace of namespaces) await act(gateway, namespace, signal)
  })
}

async function namespacesOf(session: Session, name: string): Promise<string[]> {
  const found = (await listCaptures(session, true))
    .filter(({ metadata }) => metadata.name === name)
    .map(({ metadata }) => metadata.namespace)
  if (found.length > 0) return found
  throw new CommandFailure('notFound', `Cannot find a capture "${name}" in any namespace`)
}

/**
 * All files in one directory, as calicoctl does; files with the same name on two nodes go into a
 * directory per node.
 */
async function copy(
  gateway: Gateway,
  namespace: string,
  name: string,
  dest: string,
  signal: AbortSignal,
): Promise<readonly MissingFile[]> {
  const { files, missing } = await listRemoteFiles(gateway, namespace, name)
  const times = Map.groupBy(files, ({ file }) => file)
  const pathOf = ({ node, file }: RemoteFile) =>
    (times.get(file)?.length ?? 0) > 1 ? join(dest, node, file) : join(dest, file)
  await downloadFiles({ gateway, namespace, name, files, pathOf, signal })
  return missing
}
