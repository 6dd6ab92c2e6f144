// A real server of Azure's blobs (Azurite) for tests, with one container, and URLs signed for it.
import { Agent } from 'node:https'
import { join } from 'node:path'
import {
  BlobServiceClient,
  type BlockBlobClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  newPipeline,
  type Pipeline,
  SASProtocol,
  StorageSharedKeyCredential,
} from '@azure/storage-blob'
import type { Scope } from '../net/namespace.ts'
import { root } from '../repository.ts'
import type { CertificateFiles } from './authority.ts'
import { startServer, type TestServer } from './server.ts'

const account = 'capturestore'
const container = 'captures'
const key = Buffer.from('a key of a test, which opens nothing else').toString('base64')
const credential = new StorageSharedKeyCredential(account, key)

export type BlobServer = TestServer & {
  /** As a Secret; `may` are the letters of permissions. `at` is what stands between. */
  readonly signed: (how?: {
    readonly may?: string
    readonly at?: string
    readonly in?: string
    readonly isOver?: boolean
  }) => Readonly<Record<string, string>>
  readonly container: string
  /** As the account's owner. */
  readonly blob: (name: string) => BlockBlobClient
}

export async function startBlobs(scope: Scope, tls?: CertificateFiles): Promise<BlobServer> {
  const server = await startServer(scope, (own, port) => ({
    name: 'azurite',
    isTls: tls !== undefined,
    command: [
      process.execPath,
      join(root, 'node_modules/azurite/dist/src/blob/main.js'),
      ...[
        '--blobPort',
        String(port),
        '--location',
        own,
        '--silent',
        '--disableTelemetry',
        '--skipApiVersionCheck',
      ],
      ...(tls ? ['--cert', tls.cert, '--key', tls.key] : []),
    ],
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
  }))
  const base = `${server.url}/${account}`
  const client = new BlobServiceClient(base, asOwner(tls !== undefined)).getContainerClient(
    container,
  )
  await client.create()
  return Object.assign(server, {
    container: `${base}/${container}`,
    blob: (name: string) => client.getBlockBlobClient(name),
    signed: ({
      may = 'rcw',
      at = server.url,
      in: containerName = container,
      isOver = false,
    } = {}) => {
      const hour = 3_600_000
      const signature = generateBlobSASQueryParameters(
        {
          containerName,
          permissions: ContainerSASPermissions.parse(may),
          startsOn: new Date(Date.now() - 2 * hour),
          expiresOn: new Date(Date.now() + (isOver ? -hour : hour)),
          protocol: tls ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
        },
        credential,
      )
      return { 'blob-upload-url': `"${at}/${account}/${containerName}?${signature}"\n` } // quoted, as people paste it
    },
  })
}

/** Takes any certificate: what is wrong with it is for others to find. */
function asOwner(isTls: boolean): Pipeline {
  const pipeline = newPipeline(credential)
  if (!isTls) return pipeline
  const agent = new Agent({ rejectUnauthorized: false })
  pipeline.factories.push({
    create: next => ({
      sendRequest: request => next.sendRequest(Object.assign(request, { agent })),
    }),
  })
  return pipeline
}
