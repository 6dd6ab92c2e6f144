// Reads manifest files without holding the process up. In: a file's text, one at a time. Out: its
// documents and problems. A long text is read by a thread, which lives until the reader is
// disposed and has a limit of memory. A thread that ends, whatever ended it, is a problem of the
// file.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { problem } from './problem.ts'
import { type ReadDocuments, readDocuments } from './read.ts'

export type ReadRequest = { readonly text: string; readonly file: string }

const shortTextMax = 8_192 // characters that are read at once, in less time than a thread takes to start
const memoryMiBMax = 512

export class ManifestReader implements AsyncDisposable {
  #thread: Worker | undefined

  async read(text: string, file: string): Promise<ReadDocuments> {
    if (text.length <= shortTextMax) return readDocuments(text, file)
    this.#thread ??= new Worker(new URL('manifestThread.ts', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: memoryMiBMax },
    })
    this.#thread.postMessage({ text, file } satisfies ReadRequest)
    try {
      const [documents] = await once(this.#thread, 'message') // rejects with the thread's error
      return documents as ReadDocuments
    } catch (error) {
      this.#thread = undefined
      return { documents: [], problems: [unread(file, error as NodeJS.ErrnoException)] }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread?.terminate()
  }
}

function unread(file: string, { code, message }: NodeJS.ErrnoException) {
  const why =
    code === 'ERR_WORKER_OUT_OF_MEMORY'
      ? `reading it takes more than ${memoryMiBMax} MiB, expected several smaller files`
      : `reading it failed: ${message}`
  return problem({ file, document: 1, line: 1, column: 1 }, [], why)
}
