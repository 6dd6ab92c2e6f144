// What the tests of a capture's directory share: a directory, the facts of a header, one record.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Format } from '../../src/model/capture.ts'

export const facts = {
  snapLength: 262_144,
  interfaceName: 'cali1',
  endpoint: 'shop/web-0',
  capture: 'shop/web',
  node: 'node-0',
  filter: 'tcp',
}
export const formats: readonly Format[] = ['pcap', 'pcapng']

export function folder(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-files-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

/** One record of 60 bytes. */
export function record(format: Format): Buffer {
  const frame = Buffer.alloc(60, 7)
  const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer)
  if (format === 'pcap') return Buffer.concat([words(1_700_000_000, 5, 60, 60), frame])
  return Buffer.concat([words(6, 92, 0, 0x17e00000, 0, 60, 60), frame, words(92)])
}
