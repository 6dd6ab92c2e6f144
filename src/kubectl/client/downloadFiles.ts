// Fetches files of a capture, a few at a time. In: the gateway, the files as it lists them, where
// each goes. Out: each file on this disk, verified, and a progress line. Refuses, at the end, when
// a node's files are missing.

import type { Api } from '../../model/captureRef.ts'
import { CommandFailure } from '../../model/errors.ts'
import { Progress } from '../format/progressLine.ts'
import { fetchFile } from './fetchFile.ts'
import type { Gateway } from './gateway.ts'
import { gatewayFilePath } from './gatewayPaths.ts'
import type { MissingFile, RemoteFile } from './remoteFiles.ts'

export type Downloaded = {
  readonly node: string
  readonly file: string
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  readonly isNew: boolean // fetched by this run, not found here
}

const atOnce = 4

export type DownloadFiles = {
  readonly gateway: Gateway
  readonly namespace: string
  readonly api?: Api
  readonly name: string
  readonly files: readonly RemoteFile[]
  readonly pathOf: (file: RemoteFile) => string
  readonly signal: AbortSignal
}

/** A few at a time, in the order of the list. */
export async function downloadFiles({
  gateway,
  namespace,
  api,
  name,
  files,
  pathOf,
  signal,
}: DownloadFiles): Promise<Downloaded[]> {
  using progress = new Progress(files.reduce((sum, { bytes }) => sum + bytes, 0))
  const bytesOf = files.map(() => 0)
  const done: Downloaded[] = []
  const failed = new AbortController() // the first failure ends the other downloads
  const either = AbortSignal.any([signal, failed.signal])
  let next = 0
  const work = async () => {
    for (let index = next++; index < files.length; index = next++) {
      const file = files[index] as RemoteFile
      const path = gatewayFilePath({ namespace, name, api }, file)
      const onBytes = (bytes: number) => {
        bytesOf[index] = bytes
        progress.set(bytesOf.reduce((sum, each) => sum + each, 0))
      }
      const onRetry = (reason: string) =>
        progress.print(`${file.node}/${file.file}: ${reason}; trying again`)
      const fetched = await fetchFile({
        gateway,
        path,
        target: pathOf(file),
        signal: either,
        onBytes,
        onRetry,
      })
      done[index] = { node: file.node, file: file.file, path: pathOf(file), ...fetched }
    }
  }
  const stopAll = (error: unknown) => {
    failed.abort(error)
    throw error
  }
  await Promise.allSettled(Array.from({ length: atOnce }, () => work().catch(stopAll)))
  if (failed.signal.aborted) throw failed.signal.reason
  return done
}

/** Called after all other files were fetched. */
export function refuseMissing(missing: readonly MissingFile[]): void {
  if (missing.length === 0) return
  const nodes = missing.map(({ node, reason }) => `${node} (${reason})`).join(', ')
  throw new CommandFailure(
    'incomplete',
    `Cannot have the files of ${nodes}: what is here is not all`,
  )
}
