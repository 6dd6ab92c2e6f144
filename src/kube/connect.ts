// Connects a program to the API server. In: a kubeconfig, or a pod's service account. Out: a
// function that sends requests with the current credentials (tokens rotate in their file). Refuses
// a kubeconfig that cannot be used. What reads kubeconfigs is loaded only for one: an agent in a
// pod needs none of it.
import { readFileSync, statSync } from 'node:fs'
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
      agent: agent(),
      headers: { authorization: `Bearer ${token()}` },
    })
}

function readWhenChanged<T>(file: string, read: (text: string) => T): () => T {
  let known: { readonly mtimeMs: number; readonly ino: number; readonly value: T } | undefined
  return () => {
    const { mtimeMs, ino } = statSync(file)
    if (known?.mtimeMs !== mtimeMs || known.ino !== ino)
      known = { mtimeMs, ino, value: read(readFileSync(file, 'utf8')) }
    return known.value
  }
}
