// What the tests of a capture's directory share: a directory, the facts of a header, one record, the
// files of one endpoint.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { FileList } from '../../src/files/fileList.ts'
import { FileRotation } from '../../src/files/rotation.ts'
import { listFiles } from '../../src/files/usage.ts'
import type { Format } from '../../src/model/capture.ts'
import { Disk, DiskQueue } from '../../src/runtime/disk.ts'

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

/** The files of one endpoint, with a new active one. */
export async function series(directory: string, changes: object = {}): Promise<FileRotation> {
  const list = new FileList()
  list.replace(await listFiles(directory, new Map()))
  return FileRotation.open({
    directory,
    list,
    queue: new DiskQueue(new Disk()),
    name: { pod: 'web', interfaceName: 'cali1', format: 'pcap' },
    header: { ...facts, format: 'pcap' },
    settings: 's',
    rotation: { fileBytesMax: 1_000, fileAgeMsMax: 1e9, filesMax: 2 },
    nowMs: 0,
    packetsSinceMs: 0,
    continues: undefined,
    isOldEmpty: false,
    ...changes,
  })
}
