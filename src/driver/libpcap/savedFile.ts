// Reads a saved capture file through the `pcap` package: pcap or pcapng, compressed or not, as far
// as libpcap can. In: a path and a filter. Out: packets, read by a process of its own (see
// pcapProcess.ts), which waits for a slow caller. Refuses with libpcap's message, also a file that
// ends within a record, after the packets before it.
import { resolve } from 'node:path'
import { ExpectedError } from '../../model/errors.ts'
import { firstMessage, PcapProcessHandle } from './pcapProcessHandle.ts'

/**
 * `atMs` has microseconds as decimals; `captured` bytes of the packet's `original` are in `bytes`.
 */
export type SavedPacket = {
  readonly atMs: number
  readonly captured: number
  readonly original: number
  readonly bytes: Uint8Array
}

/**
 * The packets that pass the filter ('' for all). Ends its process when the iteration is left early.
 */
export async function* readSavedFile(
  path: string,
  filter = '',
): AsyncGenerator<SavedPacket, void, undefined> {
  const what = `read capture file "${path}"`
  await using child = new PcapProcessHandle({ act: 'file', path: resolve(path), filter })
  const { reader } = child
  await firstMessage(child, what)
  do {
    for (let message = reader.peek(); message; message = reader.peek()) {
      reader.skip()
      if ('packet' in message) {
        const { seconds, microseconds, original, bytes } = message.packet
        yield {
          atMs: seconds * 1_000 + microseconds / 1_000,
          captured: bytes.length,
          original,
          bytes,
        }
      } else if (message.control.kind === 'refused')
        throw new ExpectedError(`Cannot ${what}: ${message.control.message}`)
      else return // complete
    }
  } while (await child.more())
  throw await child.earlyEnd(what)
}
