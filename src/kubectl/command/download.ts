// `download`: downloads the files of a capture and verifies each; a second run fetches only new
// files. With --merge it writes one file of all packets in the order of time.

import { rm } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { Command, Option } from 'commander'
import type { ShownCapture } from '../../api/packetcapture/printerColumns.ts'
import { exitHelp, interruptibly } from '../../cmd/exitCodes.ts'
import { isCaptureFile } from '../../files/names.ts'
import { CommandFailure } from '../../model/errors.ts'
import { pluralize } from '../../model/text.ts'
import { fittingName } from '../../runtime/atomicWrite.ts'
import { type Downloaded, downloadFiles, refuseMissing } from '../client/downloadFiles.ts'
import { openGateway } from '../client/gateway.ts'
import { mergeFiles, seriesOf } from '../client/mergeFiles.ts'
import {
  listRemoteFiles,
  type MissingFile,
  type RemoteFile,
  type WantedFiles,
} from '../client/remoteFiles.ts'
import { capturesPath, openSession, requestIfAllowed, type Session } from '../client/session.ts'
import { isUnanswered, messageOf } from '../client/wait.ts'
import { outputOption, printObject } from '../format/printer.ts'
import { sizeText } from '../format/sizes.ts'
import { sessionFor, withApi } from '../option/apiKind.ts'
import { type ClusterOptions, withCluster } from '../option/cluster.ts'
import { type GatewayClientOptions, withGateway } from '../option/gateway.ts'
import { readMore } from '../option/quantity.ts'

export type DownloadOptions = ClusterOptions &
  GatewayClientOptions &
  WantedFiles & {
    readonly proof?: string
    readonly dest?: string
    readonly merge?: string | true
    readonly output?: 'json' | 'yaml' | 'name'
  }

export function downloadCommand(): Command {
  const command = new Command('download')
    .description("fetch a capture's files, verified")
    .argument('<capture>', 'also while it is capturing')
    .option('--dest <dir>', 'where to; default: a directory of the name of the capture')
    .option('--node <names>', 'of these nodes alone; may be given again', readMore)
    .option('--pod <names>', 'of these pods alone; may be given again', readMore)
    .option(
      '--merge [file]',
      'into one file, sorted by time; default: NAME.pcapng; in --dest, if given',
    )
    .addOption(outputOption('json', 'yaml', 'name'))
    .addOption(new Option('--proof <file>', 'where to say what lies there now').hideHelp())
  return withApi(withGateway(withCluster(command)))
    .addHelpText('after', exitHelp)
    .action((name: string, options: DownloadOptions) => download(name, options))
}

/** `say` prints the summary: to standard output, unless packets go there. */
export async function download(
  name: string,
  options: DownloadOptions,
  say: NodeJS.WritableStream = process.stdout,
): Promise<void> {
  const session = await sessionFor(await openSession(options), name)
  await interruptibly(async signal => {
    await using gateway = await openGateway(session, options)
    const { namespace, api } = session
    const { files, missing } = await listRemoteFiles(gateway, namespace, name, { ...options, api })
    if (files.length === 0 && missing.length === 0) await refuseUnanswered(session, name)
    const isMerged = options.merge !== undefined
    const other = files.find(({ file }) => !isCaptureFile(file))
    if (isMerged && other)
      throw new CommandFailure(
        'usage',
        `Cannot merge "${other.file}": expected capture files alone`,
      )
    const { folder, out } = downloadPaths(name, options)
    const pathOf = ({ node, file }: RemoteFile) => join(folder, node, file)
    const done = await downloadFiles({ gateway, namespace, api, name, files, pathOf, signal })
    if (isMerged && done.length > 0) {
      const packets = await mergeFiles(seriesOf(done, namespace), {
        capture: `${namespace}/${name}`,
        out,
        signal,
      })
      await rm(folder, { recursive: true })
      process.stderr.write(`Merged ${packets} packets into ${out}\n`)
    }
    if (options.output)
      process.stdout.write(
        shown(
          { files: done, missing, ...(isMerged && done.length > 0 && { merged: out }) },
          options.output,
        ),
      )
    else if (!isMerged || done.length === 0) say.write(`${summaryOf(done, folder)}\n`)
    refuseMissing(missing)
    if (options.proof !== undefined)
      await (await import('../client/copyManifest.ts')).writeCopyManifest(options.proof, done)
  })
}

/** No list of a node is no list without files: refuses where no node has answered yet. */
async function refuseUnanswered(session: Session, name: string): Promise<void> {
  if (session.api !== 'PacketCapture') return
  const capture = await requestIfAllowed<ShownCapture>(session.kube, {
    path: capturesPath(session, session.namespace, name),
    what: `get capture "${name}"`,
  })
  if (!capture || !isUnanswered(capture)) return
  throw new CommandFailure(
    'incomplete',
    `Cannot tell whether "${name}" has files: ${messageOf(capture) || 'the controller has not seen it yet'}`,
  )
}

export type DownloadPaths = { readonly folder: string; readonly out: string }

/**
 * `folder` receives the fetched files, `out` is the merged file. The parts of a merge are kept
 * beside `out` until then.
 */
export function downloadPaths(
  name: string,
  { dest, merge }: Pick<DownloadOptions, 'dest' | 'merge'>,
): DownloadPaths {
  const file = typeof merge === 'string' ? merge : fittingName(name, '.pcapng')
  const out = isAbsolute(file) ? file : join(dest ?? '.', file)
  return {
    folder:
      merge === undefined
        ? (dest ?? name)
        : join(dest ?? dirname(out), fittingName(`.${name}`, '.parts')),
    out,
  }
}

type FetchedAll = {
  readonly files: readonly Downloaded[]
  readonly missing: readonly MissingFile[]
  readonly merged?: string
}

/** The paths that exist afterwards: a merge removes its parts. */
function shown({ files, missing, merged }: FetchedAll, output: 'json' | 'yaml' | 'name'): string {
  if (output === 'name')
    return (merged === undefined ? files.map(({ path }) => path) : [merged])
      .map(path => `${path}\n`)
      .join('')
  const facts = files.map(({ isNew: _, path, ...rest }) =>
    merged === undefined ? { ...rest, path } : rest,
  )
  return printObject({ files: facts, missing, ...(merged !== undefined && { merged }) }, output)
}

function summaryOf(files: readonly Downloaded[], directory: string): string {
  if (files.length === 0) return 'No files'
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const [count, fresh] = [
    pluralize(files.length, 'file'),
    files.filter(({ isNew }) => isNew).length,
  ]
  if (fresh === files.length)
    return `Downloaded ${count}, ${sizeText(bytes)}, verified, to ${directory}`
  return `Downloaded ${fresh} of ${count}, the others were here: ${sizeText(bytes)}, verified, in ${directory}`
}
