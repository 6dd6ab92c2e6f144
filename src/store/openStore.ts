// Opens a store. In: a target, its Secret and the administrator's policy. Out: a Store, or why it
// cannot be used. Loads only the library of that kind of store.

import type { StoreTarget } from '../model/output.ts'
import { BufferGc } from '../runtime/bufferGc.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { blockedHostReason, type DestinationPolicy } from './destinationPolicy.ts'
import { makeGuard, type Resolve } from './egressGuard.ts'
import { toFailure } from './errorText.ts'
import {
  defaultEffort,
  permanentError,
  type RetryEffort,
  type SecretValues,
  type Store,
  type StoreFailure,
} from './store.ts'

export type OpenStoreOptions = {
  readonly effort?: Partial<RetryEffort>
  readonly clock?: Clock
  readonly resolve?: Resolve
}

export type OpenedStore = { readonly ok: true; readonly store: Store }

/** Sends nothing: put() reports a target that the server refuses. */
export async function openStore(
  target: StoreTarget,
  secret: SecretValues,
  policy: DestinationPolicy,
  options: OpenStoreOptions = {},
): Promise<OpenedStore | StoreFailure> {
  try {
    return { ok: true, store: await load(target, secret, policy, options) }
  } catch (error) {
    return toFailure(error, 'Cannot open the output', new AbortController().signal, secret)
  }
}

async function load(
  target: StoreTarget,
  secret: SecretValues,
  policy: DestinationPolicy,
  options: OpenStoreOptions,
): Promise<Store> {
  const common = {
    effort: { ...defaultEffort, ...options.effort },
    clock: options.clock ?? systemClock,
    sweeper: new BufferGc(),
  }
  switch (target.kind) {
    case 's3': {
      const [{ openBucket }, { S3Store }, { s3Error }] = await Promise.all([
        import('./s3/client.ts'),
        import('./s3/store.ts'),
        import('./s3/errors.ts'),
      ])
      const guard = makeGuard(policy, options.resolve)
      const bucket = openBucket(target, secret, policy, guard)
      const attempts = { ...common, explain: (error: unknown) => s3Error(error, target) }
      return new S3Store({ target, bucket, secret, attempts, close: () => guard[Symbol.dispose]() })
    }
    case 'blob': {
      const [{ openContainer }, { BlobStore }, { blobError }] = await Promise.all([
        import('./azure/client.ts'),
        import('./azure/store.ts'),
        import('./azure/errors.ts'),
      ])
      const guard = makeGuard(policy, options.resolve)
      const container = openContainer(target, secret, policy, guard)
      const attempts = { ...common, explain: (error: unknown) => blobError(error, target) }
      return new BlobStore({
        target,
        container,
        secret,
        attempts,
        close: () => guard[Symbol.dispose](),
      })
    }
    case 'sftp': {
      const refused = blockedHostReason(target.host, policy)
      if (refused) throw permanentError(`Cannot use sftp.host "${target.host}": ${refused}`)
      const [{ SftpStore }, { readAccess }, { sftpError }] = await Promise.all([
        import('./sftp/store.ts'),
        import('./sftp/session.ts'),
        import('./sftp/errors.ts'),
      ])
      const session = {
        target,
        access: readAccess(secret, target),
        policy,
        effort: common.effort,
        resolve: options.resolve,
      }
      return new SftpStore({
        target,
        secret,
        session,
        attempts: { ...common, explain: (error: unknown) => sftpError(error, target) },
      })
    }
  }
}
