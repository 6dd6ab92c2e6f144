// What the agent's answers hold, for the server that writes them and the clients that read them.

/** `bytes`: what may be read of the file now. `etag`: the file and its length at that moment. */
export type CaptureFile = {
  readonly name: string
  readonly bytes: number
  readonly isActive: boolean
  readonly etag: string
}

export type FileList = { readonly files: readonly CaptureFile[] }
