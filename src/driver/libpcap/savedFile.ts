// Reads a saved capture file, pcap or pcapng, compressed or not as libpcap can, through the `pcap` package: for text output,
// replay and tests. A process of its own reads it (pcapProcess.ts says why); whoever iterates slowly makes it wait.
// Refuses a file that libpcap refuses, in its words, and one that ends within a record, after the packets before.
import { resolve } from 'node:path'
import { ExpectedError } from '../../model/errors.ts'
import { firstMessage, PcapChild } from './pcapChild.ts'

/** `atMs` has microseconds as decimals; `captured` bytes of the packet's `original` are in `bytes`. */
export type SavedPacket = { readonly atMs: number; readonly captured: number; readonly original: number; readonly bytes: Uint8Array }

/** The packets that the filter lets through ('' for all). Ends what it started when the iteration is left early. */
export async function* readSavedFile(path: string, filter = ''): AsyncGenerator<SavedPacket, void, undefined> {
  const what = `read capture file "${path}"`
  await using child = new PcapChild({ act: 'file', path: resolve(path), filter })
  const { reader } = child
  await firstMessage(child, what)
  do {
    for (let message = reader.peek(); message; message = reader.peek()) {
      reader.skip()
      if ('packet' in message) {
        const { seconds, microseconds, original, bytes } = message.packet
        yield { atMs: seconds * 1_000 + microseconds / 1_000, captured: bytes.length, original, bytes }
      } else if (message.news.kind === 'refused') throw new ExpectedError(`Cannot ${what}: ${message.news.message}`)
      else return // complete
    }
  } while (await child.more())
  throw await child.earlyEnd(what)
}
