// The thread that reads long manifests for manifestReader.ts. In: a text and its file's name. Out:
// what readDocuments() makes of it.
import { parentPort } from 'node:worker_threads'
import type { ReadRequest } from './manifestReader.ts'
import { readDocuments } from './read.ts'

parentPort?.on('message', ({ text, file }: ReadRequest) =>
  parentPort?.postMessage(readDocuments(text, file)),
)
