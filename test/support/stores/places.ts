// One real server of each kind behind a wire, for tests that are the same for all of them.
import type { StoreTarget } from '../../../src/model/output.ts'
import type { SecretValues } from '../../../src/store/store.ts'
import type { Scope } from '../net/namespace.ts'
import { startBlobs } from './blobServer.ts'
import { startWire, type Wire } from './faultyProxy.ts'
import { s3Secret, s3Target, startS3 } from './s3Server.ts'
import { sftpTarget, startSftp } from './sftpServer.ts'

export type Place = {
  readonly wire: Wire
  readonly target: StoreTarget
  readonly secret: SecretValues
}

export const places: Readonly<Record<string, (scope: Scope) => Promise<Place>>> = {
  S3: async scope => {
    const server = await startS3(scope)
    const wire = await startWire(scope, () => server.port)
    return { wire, target: s3Target(wire.url), secret: s3Secret }
  },
  'Azure Blob Storage': async scope => {
    const server = await startBlobs(scope)
    const wire = await startWire(scope, () => server.port)
    return {
      wire,
      target: { kind: 'blob', secretName: 'store-url' },
      secret: server.signed({ at: wire.url }),
    }
  },
  SFTP: async scope => {
    const server = await startSftp(scope)
    const wire = await startWire(scope, () => server.port)
    const lines = server.secret['sftp-known-hosts'].replace(/:\d+/, `:${wire.port}`)
    return {
      wire,
      target: sftpTarget(wire.port),
      secret: { ...server.secret, 'sftp-known-hosts': lines },
    }
  },
}
