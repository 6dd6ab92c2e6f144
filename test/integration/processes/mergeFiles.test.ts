// mergeFiles() over files as selcap writes them; what it makes is read by tshark and by this
// repository's own plain reader.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { mergeFiles, seriesOf } from '../../../src/kubectl/client/mergeFiles.ts'
import type { Format } from '../../../src/model/capture.ts'
import type { LinkType } from '../../../src/model/linkType.ts'
import { fileHeader } from '../../../src/pcap/fileHeader.ts'
import { recordBytes, writeRecord } from '../../../src/pcap/record.ts'

type Given = { readonly node: string; readonly file: string; readonly path: string }
type Packet = { readonly atMicros: number; readonly text: string; readonly droppedBefore?: number }

const base = 1_790_000_000 // seconds

function directory(t: ExecutionContext): string {
  const made = mkdtempSync(join(tmpdir(), 'selcap-merge-'))
  t.teardown(() => rmSync(made, { recursive: true }))
  return made
}

function write(
  folder: string,
  node: string,
  file: string,
  packets: readonly Packet[],
  linkType: LinkType = 'Ethernet',
): Given {
  const format: Format = file.endsWith('ng') ? 'pcapng' : 'pcap'
  const facts = {
    format,
    linkType,
    snapLength: 262_144,
    interfaceName: 'x',
    endpoint: 'y',
    capture: 'z',
    node,
    filter: '',
  }
  const records = packets.map(({ atMicros, text, droppedBefore = 0 }) => {
    const bytes = Buffer.from(text)
    const recorded = {
      seconds: base + Math.floor(atMicros / 1e6),
      microseconds: atMicros % 1e6,
      bytes,
      original: bytes.length + 5,
      droppedBefore,
    }
    const out = Buffer.alloc(recordBytes(format, recorded))
    writeRecord(format, recorded, out, 0)
    return out
  })
  const path = join(folder, `${node}-${file}`)
  writeFileSync(path, Buffer.concat([fileHeader(facts), ...records]))
  return { node, file, path }
}

async function merged(
  folder: string,
  files: readonly Given[],
): Promise<{ count: number; out: string; rows: string[][] }> {
  const out = join(folder, 'all.pcapng')
  const count = await mergeFiles(seriesOf(files, 'shop'), {
    capture: 'shop/web',
    out,
    signal: new AbortController().signal,
  })
  const fields = [
    'frame.time_epoch',
    'frame.interface_name',
    'frame.len',
    'frame.cap_len',
    'eth.dst',
  ]
  const args = ['-r', out, '-T', 'fields', ...fields.flatMap(field => ['-e', field])]
  const text = execFileSync('tshark', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trimEnd()
  return { count, out, rows: text === '' ? [] : text.split('\n').map(line => line.split('\t')) }
}

const times = (rows: readonly string[][]) =>
  rows.map(([time]) => Math.round((Number(time) - base) * 1e6))
const packets = (...all: number[]): Packet[] =>
  all.map(atMicros => ({ atMicros, text: `packet at ${String(atMicros).padStart(10)}` }))

test('mergeFiles() puts the packets of all endpoints in the order of time, formats mixed', async t => {
  const folder = directory(t)
  const { count, rows } = await merged(folder, [
    write(folder, 'node-1', 'web-0_cali1.pcap', packets(10, 40, 70)),
    write(folder, 'node-2', 'web-1_cali2.pcapng', packets(20, 30, 80)),
    write(folder, 'node-2', 'api-0_cali3.pcap', packets(5, 2_000_000)),
  ])
  t.is(count, 8)
  t.deepEqual(times(rows), [5, 10, 20, 30, 40, 70, 80, 2_000_000])
  t.deepEqual(
    rows.map(([, name]) => name),
    ['cali3', 'cali1', 'cali2', 'cali2', 'cali1', 'cali1', 'cali2', 'cali3'],
  )
  t.deepEqual([rows[0]?.[2], rows[0]?.[3]], ['25', '20'])
})

test("mergeFiles() reads an endpoint's rotated files one after another, then the active one", async t => {
  const folder = directory(t)
  const { out, rows } = await merged(folder, [
    write(folder, 'node-1', 'web-0_cali1.pcap', packets(50, 60)),
    write(folder, 'node-1', 'web-0_cali1-20261121T120000.000Z.pcap', packets(30, 40)),
    write(folder, 'node-1', 'web-0_cali1-20261121T110000.000Z.pcap', packets(10, 20)),
    write(folder, 'node-2', 'web-1_cali2.pcap', packets(15, 55)),
  ])
  t.deepEqual(times(rows), [10, 15, 20, 30, 40, 50, 55, 60])
  const info = execFileSync('capinfos', ['-I', out], { encoding: 'utf8' })
  t.regex(info, /Number of interfaces in file: 2/)
})

test('mergeFiles() keeps what a block tells of losses', async t => {
  const folder = directory(t)
  const { out } = await merged(folder, [
    write(folder, 'node-1', 'web-0_cali1.pcapng', [
      { atMicros: 1, text: 'x'.repeat(20), droppedBefore: 7 },
    ]),
  ])
  const args = ['-r', out, '-T', 'fields', '-e', 'frame.drop_count']
  t.is(
    execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim(),
    '7',
  )
})

test('mergeFiles() takes files without packets, and many of them', async t => {
  const folder = directory(t)
  const files = Array.from({ length: 60 }, (_, index) =>
    write(
      folder,
      'node-1',
      `p${index}_cali${index}.pcap`,
      index % 3 ? packets(...spread(index)) : [],
    ),
  )
  const { count, rows } = await merged(folder, files)
  t.is(count, 40 * 500)
  t.deepEqual(
    times(rows),
    times(rows).toSorted((a, b) => a - b),
  )
  t.is(rows.length, count)
})

function spread(index: number): number[] {
  return Array.from({ length: 500 }, (_, each) => each * 60 + index)
}

for (const [what, bytes, said] of [
  [
    'is torn',
    Buffer.concat([
      fileHeader({
        format: 'pcap',
        snapLength: 9,
        interfaceName: '',
        endpoint: '',
        capture: '',
        node: '',
        filter: '',
      }),
      Buffer.alloc(20, 1),
    ]),
    /found a record of|ends within a packet/,
  ],
  [
    'is none',
    Buffer.from('this is no capture file, not at all'),
    /expected a capture file as selcap writes it/,
  ],
] as const) {
  test(`mergeFiles() refuses a file that ${what}`, async t => {
    const folder = directory(t)
    const path = join(folder, 'bad')
    writeFileSync(path, bytes)
    await t.throwsAsync(merged(folder, [{ node: 'n', file: 'web_cali.pcap', path }]), {
      message: said,
    })
  })
}

for (const ending of ['pcap', 'pcapng'])
  test(`mergeFiles() keeps the link type of each file, also of one endpoint (${ending})`, async t => {
    const folder = directory(t)
    const ip = '\x45\0\0\x14\0\0\0\0\x40\x3b\0\0\x0a\0\0\x01\x0a\0\0\x02' // no next header
    const files = [
      write(folder, 'n', `a_tun0-20260101T000000.000Z.${ending}`, [{ atMicros: 1, text: 'Ethernet frame' }]), // biome-ignore format: one line
      write(folder, 'n', `a_tun0.${ending}`, [{ atMicros: 2, text: ip }], 'RawIp'),
    ]
    const { out, count } = await merged(folder, files)
    t.is(count, 2)
    const args = ['-r', out, '-T', 'fields', '-e', 'frame.protocols']
    const text = execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }) // biome-ignore format: one line
    t.deepEqual(text.trimEnd().split('\n').map(line => line.split(':')[0]), ['eth', 'raw']) // biome-ignore format: one line
  })
