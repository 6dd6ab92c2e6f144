// Filters the gateway's list of a capture's files by the user's options. A name becomes part of a
// local path, so a name that selcap never writes is refused.

import { activeName, isCaptureFile } from '../../files/names.ts'
import { readJson } from '../../kube/request.ts'
import type { Api } from '../../model/captureRef.ts'
import { CommandFailure } from '../../model/errors.ts'
import { failureOf, type Gateway } from './gateway.ts'
import { gatewayPath } from './gatewayPaths.ts'

export type RemoteFile = {
  readonly node: string
  readonly file: string
  readonly bytes: number
  readonly active: boolean
}
export type MissingFile = { readonly node: string; readonly reason: string }
export type RemoteFiles = {
  readonly files: readonly RemoteFile[]
  readonly missing: readonly MissingFile[]
}
export type WantedFiles = {
  readonly node?: readonly string[] | undefined
  readonly pod?: readonly string[] | undefined
}

type FilesAnswer = {
  readonly files: readonly RemoteFile[]
  readonly nodes?: readonly { readonly node: string; readonly error?: string }[]
}

const listTimeoutMs = 60_000

export async function listRemoteFiles(
  gateway: Gateway,
  namespace: string,
  name: string,
  { node, pod, api }: WantedFiles & { readonly api?: Api } = {},
): Promise<RemoteFiles> {
  const response = await gateway.request({
    path: gatewayPath({ namespace, name, api }, 'files'),
    signal: AbortSignal.timeout(listTimeoutMs),
  })
  if (response.statusCode !== 200)
    throw await failureOf(response, `list the files of ${namespace}/${name}`)
  const { files, nodes = [] } = (await readJson(response)) as FilesAnswer
  for (const file of files) checkNames(file)
  const prefixes = pod?.map(podPrefix)
  const isWanted = (file: RemoteFile) =>
    (node === undefined || node.includes(file.node)) &&
    (prefixes === undefined || prefixes.some(prefix => file.file.startsWith(prefix)))
  const missing = nodes.flatMap(each =>
    each.error === undefined || node?.includes(each.node) === false
      ? []
      : [{ node: each.node, reason: each.error }],
  )
  const wanted = files.filter(isWanted)
  if (wanted.length === 0 && missing.length === 0 && files.length > 0)
    throw noneOf(files, `${namespace}/${name}`)
  return { files: wanted, missing }
}

function noneOf(files: readonly RemoteFile[], of: string): CommandFailure {
  const names = files.slice(0, 3).map(({ node, file }) => `${node}/${file}`)
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : ''
  return new CommandFailure(
    'notFound',
    `Cannot find a file of ${of} for that --node and --pod: found ${names.join(', ')}${more}`,
  )
}

function podPrefix(pod: string): string {
  return activeName({ pod, interfaceName: '', format: 'pcap' }).replace(/\.pcap$/, '')
}

function checkNames({ node, file }: RemoteFile): void {
  const isNode =
    typeof node === 'string' &&
    /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(node) &&
    !node.includes('..')
  const isFile =
    typeof file === 'string' &&
    (isCaptureFile(file) || isArtifact(file)) &&
    !/[/\\\0]/.test(file) &&
    file.length <= 255
  if (!isNode || !isFile)
    throw new CommandFailure(
      'failed',
      `Cannot use what the gateway lists: found ${JSON.stringify(`${node}/${file}`)}, expected a node and a capture file`,
    )
}

/** An artifact that a node makes of capture files: an archive, a single file or text. */
function isArtifact(file: string): boolean {
  return /^\w[\w.@%+=-]*\.(txt|gz)$/.test(file)
}
