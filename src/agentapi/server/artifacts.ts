// What the agent serves beside the files of captures. In: a request; only the health check needs no
// token. Out: that the agent is there, the captures that it holds with their artifacts, or one
// artifact. An artifact is named by the capture's uid and the name that the list gives: no text of
// a request becomes a path.
//   GET /health
//   GET /captures
//   GET /captures/{uid}/{file}
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { ActualCapture } from '../../model/actualState.ts'
import { ExpectedError } from '../../model/errors.ts'
import type { Disk } from '../../runtime/disk.ts'
import { agentRoutes } from '../paths.ts'
import { readsOf } from './captureFiles.ts'

export type ArtifactDeps = {
  readonly node: string
  readonly captures: () => Iterable<ActualCapture>
}

const chunkBytes = 65_536

type ArtifactParams = { readonly Params: { readonly uid: string; readonly file: string } }

export function serveArtifacts(app: FastifyInstance, { node, captures }: ArtifactDeps): void {
  const reads = readsOf()
  app.get(agentRoutes.health, async () => ({ status: 'healthy', node }))
  app.get(agentRoutes.captures, async () => ({ node, captures: [...captures()].map(listed) }))
  app.get<ArtifactParams>(agentRoutes.artifact, async ({ params }, reply) => {
    const capture = [...captures()].find(({ uid }) => uid === params.uid)
    const artifact = capture?.artifact?.files.find(({ path }) => basename(path) === params.file)
    const file = artifact && (await reads.run(() => openIfThere(artifact.path)))
    if (!file) return reply.code(404).send('Cannot find the file here\n')
    const { size } = await reads.run(() => file.stat())
    return reply
      .type('application/octet-stream')
      .header('content-length', size)
      .send(Readable.from(chunksOf(file, size, reads)))
  })
}

/** Closes the file. */
async function* chunksOf(file: FileHandle, end: number, reads: Disk): AsyncGenerator<Buffer> {
  try {
    for (let at = 0; at < end; ) {
      const buffer = Buffer.alloc(Math.min(chunkBytes, end - at))
      const { bytesRead } = await reads.run(() => file.read(buffer, 0, buffer.length, at))
      if (bytesRead === 0) throw new ExpectedError(`Cannot read the file: it ends at ${at}`)
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  } finally {
    await file.close()
  }
}

/** undefined: the file is gone, or a symbolic link lies in its place. */
async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

function listed({ key, uid, artifact, fileNames, fileBytes }: ActualCapture): object {
  const result = artifact && {
    files: artifact.files.map(({ path, bytes }) => ({ name: basename(path), path, bytes })),
    ...(artifact.error && { error: artifact.error }),
  }
  return { capture: key, uid, working: { files: fileNames.length, bytes: fileBytes }, ...result }
}
