// Every path of the agent's HTTPS interface, for the server, its clients and the gateway. Pure. In:
// a capture of any API. Out: the path that the server's route of the same name matches. A capture's
// key has two segments whatever its API, so one route serves all of them.
import { captureKey } from '../model/captureRef.ts'

type CaptureIdentity = Parameters<typeof captureKey>[0] & { readonly uid: string }

const pathUnder = (key: string, uid: string, resource: 'files' | 'stream'): string =>
  `/v1/captures/${key}/${uid}/${resource}`

export const agentRoutes = Object.freeze({
  health: '/health',
  captures: '/captures',
  artifact: '/captures/:uid/:file',
  files: pathUnder(':namespace/:name', ':uid', 'files'),
  file: fileIn(pathUnder(':namespace/:name', ':uid', 'files'), ':file'),
  stream: pathUnder(':namespace/:name', ':uid', 'stream'),
})

export function capturePath(capture: CaptureIdentity, resource: 'files' | 'stream'): string {
  return pathUnder(captureKey(capture), capture.uid, resource)
}

/** One file of the list at that path. */
export function filePath(filesPath: string, name: string): string {
  return fileIn(filesPath, encodeURIComponent(name))
}

function fileIn(filesPath: string, segment: string): string {
  return `${filesPath}/${segment}`
}

/** The capture's key out of a matched route: the key in every map of the agent. */
export function keyOf({
  namespace,
  name,
}: {
  readonly namespace: string
  readonly name: string
}): string {
  return `${namespace}/${name}`
}
