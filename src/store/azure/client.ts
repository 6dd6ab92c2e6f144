// The client for blobs of one container. In: a signed URL (SAS) of the Secret, what the
// administrator allows. Out: clients that connect through the guard, never retry by themselves,
// follow no redirect. Refuses a URL that cannot work, and never shows it.
import {
  AnonymousCredential,
  BlockBlobClient,
  newPipeline,
  type RequestPolicyFactory,
} from '@azure/storage-blob'
import type { BlobTarget } from '../../model/output.ts'
import { type DestinationPolicy, readStoreUrl } from '../destinationPolicy.ts'
import type { EgressGuard } from '../egressGuard.ts'
import { permanentError, type SecretValues } from '../store.ts'

export type Container = {
  readonly blob: (name: string) => BlockBlobClient
  /** Without the signature. */
  readonly urlOf: (name: string) => string
}

export function openContainer(
  { secretName }: BlobTarget,
  secret: SecretValues,
  policy: DestinationPolicy,
  guard: EgressGuard,
): Container {
  const field = `blob-upload-url of Secret "${secretName}"`
  const text = trimmed(secret['blob-upload-url'] ?? '')
  if (text === '')
    throw permanentError(`Cannot use Secret "${secretName}": expected the key blob-upload-url`)
  const url = readStoreUrl(field, text, policy)
  if (url.pathname === '/')
    throw permanentError(
      `Cannot use ${field} "${url.origin}/": expected the name of a container behind the host`,
    )
  if (!url.searchParams.has('sig'))
    throw permanentError(
      `Cannot use ${field} "${url.origin}${url.pathname}": expected a signature (sig=…) in it`,
    )
  const agent = url.protocol === 'https:' ? guard.https : guard.http
  const pipeline = newPipeline(new AnonymousCredential(), {
    retryOptions: { maxTries: 1 }, // retry.ts retries, for all stores
    ...({ redirectOptions: { maxRetries: 0 } } as object), // the inner pipeline takes it; the outer type does not name it
  })
  pipeline.factories.push(throughGuard(agent))
  const base = `${url.origin}${url.pathname.replace(/\/$/, '')}`
  const urlOf = (name: string) => `${base}/${name.split('/').map(encodeURIComponent).join('/')}`
  return { urlOf, blob: name => new BlockBlobClient(`${urlOf(name)}${url.search}`, pipeline) }
}

/** Removes quotes, spaces and line ends that were pasted along. */
function trimmed(text: string): string {
  return text.replace(/^["'\s]+|["'\s]+$/g, '')
}

/** Replaces what the SDK sets from the environment, a proxy's agent for instance. */
function throughGuard(agent: unknown): RequestPolicyFactory {
  return {
    create: next => ({
      sendRequest: request => {
        Object.assign(request, { agent, proxySettings: undefined })
        return next.sendRequest(request)
      },
    }),
  }
}
