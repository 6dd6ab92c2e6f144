// The options of `create` for uploads, and the spec's `output` that they make. Pure. One target at
// a time: several need a manifest. Secrets are named, never typed.
import type { Command } from 'commander'
import { CommandFailure } from '../../model/errors.ts'

export type UploadOptions = {
  readonly upload?: string
  readonly uploadSecret?: string
  readonly uploadEndpoint?: string
  readonly uploadRegion?: string
  readonly uploadPathStyle?: boolean
  readonly uploadClean?: boolean
}

export function withUpload(command: Command): Command {
  return command
    .option(
      '--upload <where>',
      'send the files on: s3://BUCKET/PATH, sftp://HOST:PORT/PATH, or blob (Azure)',
    )
    .option(
      '--upload-secret <name>',
      "a Secret of the capture's namespace with what the store asks for",
    )
    .option('--upload-endpoint <url>', 'of an S3 store that is not Amazon')
    .option('--upload-region <name>', 'of the S3 bucket')
    .option('--upload-path-style', "the bucket stands in the URL's path")
    .option('--upload-clean', 'remove the files on the nodes when all are stored, and checked')
}

/** undefined: no upload. Refuses with CommandFailure. */
export function outputOf({
  upload,
  uploadSecret,
  uploadClean,
  ...s3
}: UploadOptions): object | undefined {
  const isAlone = Object.keys(onlyS3(s3)).length === 0
  if (upload === undefined) {
    if (isAlone && uploadSecret === undefined && !uploadClean) return undefined
    throw new CommandFailure('usage', 'Cannot upload: expected --upload with what tells where')
  }
  if (uploadSecret === undefined)
    throw new CommandFailure('usage', 'Cannot upload: expected --upload-secret with --upload')
  const cleaning = uploadClean && { cleanUpAfterUpload: true }
  const [, kind, rest = ''] = /^(s3|sftp):\/\/(.+)$/.exec(upload) ?? []
  if (kind !== 's3' && !isAlone)
    throw new CommandFailure(
      'usage',
      'Cannot use --upload-endpoint, --upload-region or --upload-path-style: expected them with s3:// alone',
    )
  if (upload === 'blob') return { blobUpload: uploadSecret, ...cleaning }
  if (kind === 's3') return { s3Upload: s3Of(rest, uploadSecret, s3), ...cleaning }
  if (kind === 'sftp') return { sftp: sftpOf(rest, uploadSecret), ...cleaning }
  throw new CommandFailure(
    'usage',
    `Cannot upload to "${upload}": expected s3://BUCKET/PATH, sftp://HOST:PORT/PATH or blob`,
  )
}

type S3Options = Omit<UploadOptions, 'upload' | 'uploadSecret' | 'uploadClean'>

/** Picks the options of S3. */
function onlyS3({ uploadEndpoint, uploadRegion, uploadPathStyle }: S3Options): S3Options {
  return Object.fromEntries(
    Object.entries({ uploadEndpoint, uploadRegion, uploadPathStyle }).filter(
      ([, value]) => value !== undefined,
    ),
  )
}

function s3Of(
  rest: string,
  secretName: string,
  { uploadEndpoint, uploadRegion, uploadPathStyle }: S3Options,
): object {
  if (uploadEndpoint === undefined && uploadRegion === undefined)
    throw new CommandFailure(
      'usage',
      'Cannot upload to S3: expected --upload-region, or --upload-endpoint where it is not Amazon',
    )
  const [bucket = '', ...path] = rest.split('/')
  return {
    bucket,
    secretName,
    ...(path.join('/') && { path: path.join('/') }),
    ...(uploadEndpoint !== undefined && { endpoint: uploadEndpoint }),
    ...(uploadRegion !== undefined && { region: uploadRegion }),
    ...(uploadPathStyle && { pathStyle: true }),
  }
}

/** A second slash makes the path absolute; otherwise it is relative to the login directory. */
function sftpOf(rest: string, secretName: string): object {
  const [, host = '', port, path] =
    /^([^/:@[\]]+|\[[^\]]+\])(?::(\d{1,5}))?(?:\/(.*))?$/.exec(rest) ?? []
  if (host === '')
    throw new CommandFailure(
      'usage',
      `Cannot upload to "sftp://${rest}": expected sftp://HOST:PORT/PATH; the user's name stands in the Secret`,
    )
  const plain = host.replace(/^\[|\]$/g, '')
  return {
    host: plain,
    ...(port !== undefined && { port: Number(port) }),
    ...(path && { path }),
    secretName,
  }
}
