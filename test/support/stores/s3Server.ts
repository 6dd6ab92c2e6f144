// A real S3 server (versitygw over a directory) for tests. A bucket is a directory, an object a
// file in it.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { S3Target } from '../../../src/model/output.ts'
import { toolPath } from '../kube/tools.ts'
import type { Scope } from '../net/namespace.ts'
import type { CertificateFiles } from './authority.ts'
import { startServer, type TestServer } from './server.ts'

/** Words that nothing may show. */
export const s3Secret = {
  's3-access-key-id': 'canaryaccesskey17',
  's3-secret-access-key': 'canary/secret+access=key/93847',
}
export const bucket = 'captures'

/**
 * `directory`: where the objects go, if that is a disk of the test's. `at`: an address of another
 * network namespace.
 */
export type S3Place = {
  readonly directory?: string
  readonly at?: { readonly address: string; readonly netns: string }
  readonly tls?: CertificateFiles
}

export async function startS3(
  scope: Scope,
  { directory, at, tls }: S3Place = {},
): Promise<TestServer & { readonly objects: string }> {
  const server = await startServer(
    scope,
    (own, port) => {
      for (const name of [`data/${bucket}`, 'sidecar'])
        mkdirSync(join(own, name), { recursive: true })
      return {
        name: 'versitygw',
        ...(at && { netns: at.netns }),
        isTls: tls !== undefined,
        command: [
          toolPath('versitygw'),
          ...['--port', `${at?.address ?? '127.0.0.1'}:${port}`, '--quiet', '--keep-alive'],
          ...(tls ? ['--cert', tls.cert, '--key', tls.key] : []),
          ...['posix', '--sidecar', join(own, 'sidecar'), join(own, 'data')],
        ],
        env: {
          ...process.env,
          ROOT_ACCESS_KEY_ID: s3Secret['s3-access-key-id'],
          ROOT_SECRET_ACCESS_KEY: s3Secret['s3-secret-access-key'],
        },
      }
    },
    directory,
  )
  return Object.assign(server, { objects: join(server.directory, 'data', bucket) })
}

export function s3Target(endpoint: string, rest: Partial<S3Target> = {}): S3Target {
  return { kind: 's3', bucket, secretName: 'store-keys', endpoint, region: 'us-east-1', ...rest }
}
