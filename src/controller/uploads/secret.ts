// Reads a Secret of the capture's own namespace when it is needed, and caches nothing. In: its
// name. Out: its values. Errors contain the Secret's name, never a value.

import { get } from '../../kube/client.ts'
import type { Kube } from '../../kube/request.ts'
import { ExpectedError } from '../../model/errors.ts'
import type { SecretValues } from '../../store/store.ts'

const bytesMax = 4_194_304 // an API server stores one megabyte of a Secret, in base64

export class SecretNotFound extends ExpectedError {
  override readonly name = 'SecretNotFound'
}

export async function readSecret(
  kube: Kube,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<SecretValues> {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name))
    throw new ExpectedError(`Cannot read Secret "${name}": expected the name of a Secret`)
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`
  const answer = await get<{ readonly data?: Readonly<Record<string, string>> }>(kube, path, {
    signal,
    bytesMax,
  })
  if (!answer.ok) {
    const message = `Cannot read Secret "${name}": ${answer.message}`
    throw answer.status === 404 ? new SecretNotFound(message) : new ExpectedError(message)
  }
  const { data = {} } = answer.body
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )
}
