// The files of captures. In: a capture's key and uid, a file's name as the list has it. Out: the
// list, a file or a range of it, 204 where something was removed. Refuses to remove files of a
// capture that is being written (409), an artifact of another version (412), and to send a file
// under the tag of another one (412). No text of a request becomes a path.
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { CaptureFolder } from '../../files/captureFolder.ts'
import type { Logger } from '../../runtime/log.ts'
import { agentRoutes, keyOf } from '../paths.ts'
import type { FileList } from '../types.ts'
import { captureFiles, OpenedFile, readsOf, removeArtifactFile } from './captureFiles.ts'
import { Digests } from './digests.ts'
import { rangeOf } from './range.ts'
import { sendSteadily } from './sendFile.ts'

export type FileRouteDeps = {
  readonly folderOf: (key: string, uid: string) => CaptureFolder | undefined
  readonly onRemoved: () => void
  readonly log: Logger
}

type FileParams = {
  readonly Params: {
    readonly namespace: string
    readonly name: string
    readonly uid: string
    readonly file: string
  }
}

export function serveFiles(
  app: FastifyInstance,
  { folderOf, onRemoved, log }: FileRouteDeps,
): void {
  const digests = new Digests()
  const reads = readsOf()
  const folderIn = ({ params }: FastifyRequest<FileParams>) => folderOf(keyOf(params), params.uid)

  app.get<FileParams>(agentRoutes.files, async (request, reply): Promise<FileList> => {
    const folder = folderIn(request)
    return folder
      ? { files: await captureFiles(folder, reads) }
      : reply.code(404).send('Cannot find the capture here\n')
  })
  app.delete<FileParams>(agentRoutes.files, async (request, reply) => {
    const folder = folderIn(request)
    if (folder?.files().some(({ isActive }) => isActive))
      return reply.code(409).send('Cannot remove files: one is being written to\n')
    await folder?.clean()
    onRemoved()
    return reply.code(204).send()
  })
  app.delete<FileParams>(agentRoutes.file, async (request, reply) => {
    const folder = folderIn(request)
    const { 'if-match': etag } = request.headers
    const isRemoved = folder && (await removeArtifactFile(folder, request.params.file, etag, reads))
    if (isRemoved) onRemoved()
    return isRemoved
      ? reply.code(204).send()
      : reply
          .code(412)
          .send('Cannot remove that file: nothing of that name and tag was made here\n')
  })
  app.get<FileParams>(agentRoutes.file, async (request, reply) => {
    const folder = folderIn(request)
    const file =
      folder && (await OpenedFile.find(folder, request.params.file, conditionOf(request), reads))
    if (!file) return reply.code(404).send('Cannot find the file here\n')
    try {
      return await sendVersion(file, request, reply, { digests, log })
    } catch (error) {
      await file[Symbol.asyncDispose]()
      throw error
    }
  })
}

/** The tag that the client has; a date in If-Range is no tag. */
function conditionOf({
  headers: { 'if-match': match, 'if-range': ifRange },
}: FastifyRequest): string | undefined {
  return match ?? (typeof ifRange === 'string' ? ifRange : undefined)
}

type SendDeps = { readonly digests: Digests; readonly log: Logger }

/** Closes the file, now or when it was sent. */
async function sendVersion(
  file: OpenedFile,
  request: FastifyRequest,
  reply: FastifyReply,
  { digests, log }: SendDeps,
): Promise<FastifyReply> {
  const {
    range: rangeHeader,
    'if-match': match,
    'want-repr-digest': wantedDigest,
  } = request.headers
  const condition = conditionOf(request)
  const version = condition === undefined ? file : file.asOf(condition)
  if (!version && match !== undefined) {
    await file[Symbol.asyncDispose]()
    return reply.code(412).send('Cannot find that file here: another one has its name now\n')
  }
  const { bytes, etag } = version ?? file
  const range = version ? rangeOf(rangeHeader, bytes) : 'whole'
  reply.headers({ 'accept-ranges': 'bytes', 'content-type': 'application/vnd.tcpdump.pcap', etag })
  if (typeof wantedDigest === 'string' && /^sha-256=/.test(wantedDigest))
    reply.header('repr-digest', `sha-256=:${await digests.of(file, { bytes, etag })}:`)
  if (range === 'none') {
    await file[Symbol.asyncDispose]()
    return reply.code(416).header('content-range', `bytes */${bytes}`).send()
  }
  const { start, end } = range === 'whole' ? { start: 0, end: bytes } : range
  if (range !== 'whole')
    reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${bytes}`)
  reply.header('content-length', end - start)
  if (request.method === 'HEAD' || reply.raw.destroyed) {
    await file[Symbol.asyncDispose]()
    return reply.send(Readable.from([])) // without a body fastify would send a length of 0
  }
  await sendSteadily(file, { start, end }, reply, error =>
    log.warn({ url: request.url, error: error.message }, 'file not sent to its end'),
  )
  return reply
}
