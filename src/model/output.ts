// Where a capture's files are uploaded, the same for every API. Plain data.
// Holds names of Secrets, never their values: the uploader reads them when it needs them.

/** Amazon S3, or a store with its API. */
export type S3Target = {
  readonly kind: 's3'
  readonly bucket: string
  readonly secretName: string
  /** Default: Amazon's endpoint of the region. */
  readonly endpoint?: string
  readonly region?: string
  /** Prefix of the object's key. */
  readonly path?: string
  /** The bucket is in the URL's path instead of its host. Default: true with an endpoint. */
  readonly isPathStyle?: boolean
}

/** Azure Blob Storage: the Secret holds the URL with its signature (SAS). */
export type BlobTarget = { readonly kind: 'blob'; readonly secretName: string }

export type SftpTarget = {
  readonly kind: 'sftp'
  readonly host: string
  readonly port: number
  readonly secretName: string
  readonly path?: string
}

export type StoreTarget = S3Target | BlobTarget | SftpTarget

/** Every upload that a capture asks for. `claim`: a PersistentVolumeClaim of its namespace. */
export type Output = {
  readonly stores: readonly StoreTarget[]
  readonly claim?: string
  readonly isCleanedUp: boolean // the nodes' files are removed after all are uploaded
}

/** The field that names a store, in every API. */
export const outputFields: Readonly<Record<StoreTarget['kind'], string>> = Object.freeze({
  s3: 's3Upload',
  blob: 'blobUpload',
  sftp: 'sftp',
})

export const claimField = 'persistentVolumeClaim'
