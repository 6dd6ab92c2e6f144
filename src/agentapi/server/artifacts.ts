// What an agent tells of itself beside the files of captures: that it is there, to anybody; and, to whoever may have files, which
// captures it holds, with what was made of their files. A file is named by the capture's uid and the name that the list shows: no
// word of a request ever becomes a path.
//   GET /health                     open
//   GET /captures
//   GET /captures/{uid}/{file}
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { ActualCapture } from '../../model/actualState.ts'

export type ArtifactDeps = { readonly node: string; readonly captures: () => Iterable<ActualCapture> }

type ArtifactParams = { readonly Params: { readonly uid: string; readonly file: string } }

export const health = '/health'

export function serveArtifacts(app: FastifyInstance, { node, captures }: ArtifactDeps): void {
  app.get(health, async () => ({ status: 'healthy', node }))
  app.get('/captures', async () => ({ node, captures: [...captures()].map(listed) }))
  app.get<ArtifactParams>('/captures/:uid/:file', async ({ params }, reply) => {
    const held = [...captures()].find(({ uid }) => uid === params.uid)
    const made = held?.artifact?.files.find(({ path }) => basename(path) === params.file)
    const file = made && (await open(made.path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined))
    if (!file) return reply.code(404).send('Cannot find the file here\n')
    const { size } = await file.stat()
    return reply
      .type('application/octet-stream')
      .header('content-length', size)
      .send(file.createReadStream({ end: Math.max(0, size - 1) }))
  })
}

function listed({ key, uid, artifact: made, fileNames, fileBytes }: ActualCapture): object {
  const isOver = made !== undefined && { files: made.files.map(({ path, bytes }) => ({ name: basename(path), path, bytes })) }
  return { capture: key, uid, working: { files: fileNames.length, bytes: fileBytes }, ...isOver, ...(made?.error && { error: made.error }) }
}
