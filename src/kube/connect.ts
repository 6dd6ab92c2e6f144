// Connects a program to the API server. In: a kubeconfig, or a pod's service account. Out: a
// function that sends requests with the current credentials (tokens rotate in their file). Refuses
// a kubeconfig that cannot be used. What reads kubeconfigs is loaded only for one: an agent in a
// pod needs none of it.
import type { Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Agent } from 'node:https'
import { createSecureContext } from 'node:tls'
import type { Kube } from './request.ts'
import { sendRequest } from './send.ts'
import { type Account, serverInPod } from './serviceAccount.ts'

/**
 * Connects with a kubeconfig file; else the pod's service account, else $KUBECONFIG or ~/.kube.
 * Refuses with CommandFailure.
 */
export async function connectKube(kubeconfig: string | undefined): Promise<Kube> {
  const account = kubeconfig === undefined ? serverInPod() : undefined
  if (account) return connectWith(account)
  const { connectUser } = await import('./kubeconfig/connect.ts')
  return (await connectUser({ kubeconfig })).kube
}

/** Connects with a token file and a CA file; both are read again when they change. */
export function connectWith({ server, tokenFile, caFile }: Account): Kube {
  const token = readWhenChanged(tokenFile, text => text.trim())
  // One TLS context for all connections: a context per connection takes a hundred kilobytes outside
  // the heap.
  const agent = readWhenChanged(
    caFile,
    ca =>
      new Agent({ secureContext: createSecureContext({ ca }), keepAlive: true, maxFreeSockets: 2 }),
  )
  return async request =>
    sendRequest(server, request, {
      agent: await agent(),
      headers: { authorization: `Bearer ${await token()}` },
    })
}

function readWhenChanged<T>(file: string, make: (text: string) => T): () => Promise<T> {
  let known: { readonly mtimeMs: number; readonly ino: number; readonly value: T } | undefined
  const isKnown = (found: Pick<Stats, 'mtimeMs' | 'ino'>) =>
    known?.mtimeMs === found.mtimeMs && known.ino === found.ino
  return async () => {
    const { mtimeMs, ino } = await stat(file)
    if (known && isKnown({ mtimeMs, ino })) return known.value
    const text = await readFile(file, 'utf8')
    // Requests at the same time read the file more than once, and share what is made of it.
    if (!known || !isKnown({ mtimeMs, ino })) known = { mtimeMs, ino, value: make(text) }
    return known.value
  }
}
