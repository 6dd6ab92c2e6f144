// Where a capture's files go beside the node they lie on. Plain data, of whichever API it was read.
// Secrets are named, never held: whoever uploads reads them at that moment.

/** Amazon S3 and what speaks its language. */
export type S3Target = {
  readonly kind: 's3'
  readonly bucket: string
  readonly secretName: string
  /** Without one: Amazon's, of the region. */
  readonly endpoint?: string
  readonly region?: string
  /** Comes before the file's name in the object's. */
  readonly path?: string
  /** The bucket in the URL's path, not in its host; default with an endpoint. */
  readonly isPathStyle?: boolean
}

/** Azure Blob Storage: the Secret holds the whole address, with its signature. */
export type BlobTarget = { readonly kind: 'blob'; readonly secretName: string }

export type SftpTarget = {
  readonly kind: 'sftp'
  readonly host: string
  readonly port: number
  readonly secretName: string
  readonly path?: string
}

export type StoreTarget = S3Target | BlobTarget | SftpTarget

/** All that a capture asks for. `claim`: a PersistentVolumeClaim of its namespace. */
export type Output = {
  readonly stores: readonly StoreTarget[]
  readonly claim?: string
  readonly isCleanedUp: boolean // the nodes' files go when all of them are stored
}

/** The field that names a store, in every API. */
export const outputFields: Readonly<Record<StoreTarget['kind'], string>> = Object.freeze({
  s3: 's3Upload',
  blob: 'blobUpload',
  sftp: 'sftp',
})

export const claimField = 'persistentVolumeClaim'
