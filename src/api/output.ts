// Reads where a capture's files are uploaded, by Retina's field names, for every API. Pure. In: the
// fields. Out: the targets. Throws RangeError that names the field. Whether a store is allowed and
// reachable is checked at the upload, which has its Secret.
import type { Output, S3Target, SftpTarget, StoreTarget } from '../model/output.ts'
import { type Fields, fields, integer, isGiven, show } from './fields.ts'

/** undefined: the files stay on the node only. `field`: its path in the spec. */
export function readOutput(
  written: Fields,
  isCleanedUp: unknown,
  field: string,
): Output | undefined {
  const { s3Upload, blobUpload, sftp, persistentVolumeClaim } = written
  const stores: StoreTarget[] = [
    ...(isGiven(s3Upload)
      ? [s3Target(fields(s3Upload, `${field}.s3Upload`), `${field}.s3Upload`)]
      : []),
    ...(isGiven(blobUpload)
      ? [{ kind: 'blob' as const, secretName: text(blobUpload, `${field}.blobUpload`) }]
      : []),
    ...(isGiven(sftp) ? [sftpTarget(fields(sftp, `${field}.sftp`), `${field}.sftp`)] : []),
  ]
  const claim = isGiven(persistentVolumeClaim)
    ? text(persistentVolumeClaim, `${field}.persistentVolumeClaim`)
    : undefined
  if (stores.length === 0 && claim === undefined) return undefined
  return { stores, ...(claim !== undefined && { claim }), isCleanedUp: isCleanedUp === true }
}

function s3Target(
  { bucket, secretName, endpoint, region, path, pathStyle }: Fields,
  field: string,
): S3Target {
  const isSomewhere = isGiven(endpoint) || isGiven(region)
  if (!isSomewhere)
    throw new RangeError(`${field}: found neither endpoint nor region, expected one of them`)
  return {
    kind: 's3',
    bucket: text(bucket, `${field}.bucket`),
    secretName: text(secretName, `${field}.secretName`),
    ...(isGiven(endpoint) && { endpoint: text(endpoint, `${field}.endpoint`) }),
    ...(isGiven(region) && { region: text(region, `${field}.region`) }),
    ...(isGiven(path) && { path: text(path, `${field}.path`) }),
    ...(typeof pathStyle === 'boolean' && { isPathStyle: pathStyle }),
  }
}

function sftpTarget({ host, port, path, secretName }: Fields, field: string): SftpTarget {
  return {
    kind: 'sftp',
    host: text(host, `${field}.host`),
    port: integer(port, `${field}.port`, 1, 65_535) ?? 22,
    secretName: text(secretName, `${field}.secretName`),
    ...(isGiven(path) && { path: text(path, `${field}.path`) }),
  }
}

function text(value: unknown, field: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new RangeError(`${field}: found ${show(value)}, expected a text`)
}
