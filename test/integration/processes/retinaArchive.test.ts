// Archives as they are on disk, read back with the real tar and tcpdump.
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { displayFlags } from '../../../src/api/retina/tcpdumpFlags.ts'
import { makeRetinaArchive } from '../../../src/artifacts/retina/archive.ts'
import type { ActualEndpoint } from '../../../src/model/actualState.ts'
import type { RetinaArchive } from '../../../src/model/artifact.ts'
import { writeCapture } from '../../support/pcap/packets.ts'

const createdAtMs = Date.parse('2026-01-02T03:04:05Z')
const stem = 'trace-node-1-20260102030405UTC'

function stage(t: ExecutionContext): { readonly folder: string; readonly base: string } {
  const scratch = mkdtempSync(join(tmpdir(), 'selcap-archive-'))
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }))
  const folder = join(scratch, 'files')
  mkdirSync(folder)
  return { folder, base: join(scratch, 'captures') }
}

const facts = (name: string): ActualEndpoint => ({
  name,
  uid: name,
  interfaceName: 'cali1',
  vantage: 'HostVeth',
  packets: 3,
  bytes: 1,
  received: 3,
  dropped: 0,
  refused: 0,
  truncated: 0,
  gaps: [],
})

type Wanted = {
  readonly folder: string
  readonly base: string
  readonly fileNames: readonly string[]
} & Partial<RetinaArchive>

function make(
  { folder, base, fileNames, ...artifact }: Wanted,
  freePercentMin = 0,
  signal = new AbortController().signal,
) {
  const pods = [...new Set(fileNames.map(name => name.split('_')[0] ?? ''))]
  return makeRetinaArchive(
    {
      key: 'shop.retina.sh/trace',
      capture: { api: 'Capture', namespace: 'shop', name: 'trace', uid: 'u-1' },
      artifact: {
        kind: 'RetinaArchive',
        createdAtMs,
        place: { base, below: ['mine'] },
        includeMetadata: false,
        display: [],
        ...artifact,
      },
      facts: {
        key: 'shop.retina.sh/trace',
        uid: 'u-1',
        fileNames,
        fileBytes: 0,
        endpoints: new Map(pods.map(pod => [pod, facts(pod)])),
      },
    },
    {
      node: 'node-1',
      folder,
      settings: { captureDiskFreePercentMin: freePercentMin },
      nowMs: 7,
      signal,
    },
  )
}

const listed = (archive: string): string[] =>
  execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).trim().split('\n')
const entryOf = (archive: string, name: string): Buffer =>
  execFileSync('tar', ['-xzOf', archive, name], { maxBuffer: 1 << 28 })

test('an archive holds the packets as they are on disk, and a log', async t => {
  const { folder, base } = stage(t)
  const packets = writeCapture(join(folder, 'web_cali1.pcap'), [1, 2, 3])
  const { files, error, atMs } = await make({ folder, base, fileNames: ['web_cali1.pcap'] })
  const path = join(base, 'mine', `${stem}.tar.gz`)
  t.is(error, undefined)
  t.is(atMs, 7)
  t.deepEqual(files, [{ path, bytes: statSync(path).size }])
  t.is(statSync(path).mode & 0o777, 0o640)
  t.deepEqual(listed(path), [`${stem}.pcap`, 'tcpdump.log'])
  t.deepEqual(entryOf(path, `${stem}.pcap`), packets)
  t.regex(
    entryOf(path, 'tcpdump.log').toString(),
    /web on cali1: 3 packets captured, 3 received by filter, 0 dropped by kernel/,
  )
  t.deepEqual(readdirSync(join(base, 'mine')), [`${stem}.tar.gz`])
})

test('rotated files are numbered by age, and pods kept apart', async t => {
  const { folder, base } = stage(t)
  const names = ['web_cali1-20260101T000000.000Z.pcap', 'web_cali1.pcap', 'db_cali2.pcap']
  for (const [index, name] of names.entries()) writeCapture(join(folder, name), [index])
  const { files } = await make({ folder, base, fileNames: names, fileCount: 2 })
  t.deepEqual(listed(files[0]?.path ?? ''), [
    `${stem}-db.pcap0`,
    `${stem}-web.pcap0`,
    `${stem}-web.pcap1`,
    'tcpdump.log',
  ])
  t.deepEqual(
    entryOf(files[0]?.path ?? '', `${stem}-web.pcap0`),
    readFileSync(join(folder, names[0] ?? '')),
  )
})

test('a text is put beside the packets when an option shapes it, and changes them not', async t => {
  const { folder, base } = stage(t)
  const packets = writeCapture(join(folder, 'web_cali1.pcap'), [1, 2])
  const { files, error } = await make({
    folder,
    base,
    fileNames: ['web_cali1.pcap'],
    display: ['-n', '-e', '-v', '-x', '-tt'],
  })
  const path = files[0]?.path ?? ''
  t.is(error, undefined)
  t.deepEqual(listed(path), [`${stem}.pcap`, `${stem}.txt`, 'tcpdump.log'])
  t.deepEqual(entryOf(path, `${stem}.pcap`), packets)
  const expected = execFileSync(
    'tcpdump',
    ['-r', join(folder, 'web_cali1.pcap'), '-n', '-e', '-v', '-x', '-tt'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  t.is(entryOf(path, `${stem}.txt`).toString(), expected.toString())
  t.deepEqual(readdirSync(folder), ['web_cali1.pcap'])
})

const simple = [
  'noResolveDNS',
  'noResolvePort',
  'printLinkHeader',
  'quietOutput',
  'absoluteSeq',
  'dontVerifyChecksum',
]
const booleans = [
  'verbose',
  'extraVerbose',
  'maxVerbose',
  'printDataHex',
  'printDataHexLink',
  'printDataASCII',
  'printDataASCIILink',
]
const times = [
  'noTimestamp',
  'unformattedTimestamp',
  'deltaTimestamp',
  'dateTimestamp',
  'deltaSinceFirst',
]
const words = {
  verbosity: ['verbose', 'extra', 'max'],
  printDataFormat: ['hex', 'hex-with-link', 'ascii', 'ascii-with-link'],
  timestampFormat: ['none', 'unformatted', 'delta', 'date', 'delta-since-first'],
}
const options = [
  ...[...simple, ...booleans, ...times].map(field => ({ [field]: true })),
  ...Object.entries(words).flatMap(([field, all]) => all.map(word => ({ [field]: word }))),
]

test('each option that shapes text, in either form, gives the text that tcpdump prints with its flag', async t => {
  const { folder, base } = stage(t)
  writeCapture(join(folder, 'web_cali1.pcap'), [1, 2])
  const texts = new Map<string, string>()
  for (const [index, option] of options.entries()) {
    const { display } = displayFlags(option)
    const { files, note } = await make({
      folder,
      base: join(base, `${index}`),
      fileNames: ['web_cali1.pcap'],
      display,
    })
    t.is(note, undefined)
    const text = entryOf(files[0]?.path ?? '', `${stem}.txt`).toString()
    const flags = ['-r', join(folder, 'web_cali1.pcap'), '-n', ...display]
    t.is(
      text,
      execFileSync('tcpdump', flags, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
      JSON.stringify(option),
    )
    texts.set(display.join(), text)
  }
  t.is(texts.size, simple.length + booleans.length + times.length) // both forms come to the same flags
})

test('a text that cannot be had whole is told, and the packets stay', async t => {
  const { folder, base } = stage(t)
  const packets = writeCapture(join(folder, 'web_cali1.pcap'), [1, 2])
  truncateSync(join(folder, 'web_cali1.pcap'), packets.length - 5)
  const { files, note } = await make({
    folder,
    base,
    fileNames: ['web_cali1.pcap'],
    display: ['-n'],
  })
  t.regex(note ?? '', /\.txt: tcpdump: ended with 1: .*truncated/)
  t.is(entryOf(files[0]?.path ?? '', `${stem}.pcap`).length, packets.length - 5)
  t.regex(entryOf(files[0]?.path ?? '', 'tcpdump.log').toString(), /\.txt: tcpdump: ended with 1/)
})

test('tcpdump reads packets as nobody', async t => {
  if (process.getuid?.() !== 0) return void t.pass('only root becomes somebody else')
  const { folder, base } = stage(t)
  writeCapture(
    join(folder, 'web_cali1.pcap'),
    Array.from({ length: 200_000 }, (_, index) => index % 65_536),
  )
  const seen = new Set<string>()
  const watch = setInterval(() => {
    for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
      const read = (name: string) =>
        existsSync(`/proc/${pid}/${name}`) ? readFileSync(`/proc/${pid}/${name}`, 'utf8') : ''
      try {
        if (read('cmdline').startsWith('tcpdump\0-r\0-\0-n\0-K\0'))
          seen.add(/^Uid:\s+(.*)$/m.exec(read('status'))?.[1] ?? '')
      } catch {} // it ended meanwhile
    }
  }, 5)
  t.teardown(() => clearInterval(watch))
  const { note } = await make({
    folder,
    base,
    fileNames: ['web_cali1.pcap'],
    display: ['-K', '-vvv', '-x'],
  })
  t.is(note, undefined)
  t.deepEqual([...seen], ['65534\t65534\t65534\t65534'])
})

test('a flag that shapes no text is never run', async t => {
  const { folder, base } = stage(t)
  writeCapture(join(folder, 'web_cali1.pcap'), [1])
  const { files, error } = await make({
    folder,
    base,
    fileNames: ['web_cali1.pcap'],
    display: [`-w${join(base, 'x')}`],
  })
  t.deepEqual(files, [])
  t.regex(error ?? '', /is no flag that shapes text/)
  t.false(existsSync(join(base, 'x')))
})

test('metadata stands under the names that Retina gives it', async t => {
  const { folder, base } = stage(t)
  writeCapture(join(folder, 'web_cali1.pcap'), [1])
  const { files } = await make({
    folder,
    base,
    fileNames: ['web_cali1.pcap'],
    includeMetadata: true,
  })
  const path = files[0]?.path ?? ''
  const names = listed(path)
  t.deepEqual(
    names.filter(name => !name.startsWith('proc-')),
    [`${stem}.pcap`, 'ip-resources.txt', 'iptables-rules.txt', 'socket-stats.txt', 'tcpdump.log'],
  )
  t.true(
    names.includes('proc-net/dev') &&
      names.includes('proc-net/route') &&
      names.some(name => name.startsWith('proc-sys-net/ipv4/')),
  )
  const addresses = entryOf(path, 'ip-resources.txt').toString()
  t.regex(addresses, /^Summary:\nip -d -j addr show\(IP addresses\)\n/)
  t.regex(addresses, /"ifname":"lo"|"lo": \[/)
  t.regex(entryOf(path, 'proc-net/dev').toString(), /lo:/)
})

test('without a host path the archive lies beside the files', async t => {
  const { folder } = stage(t)
  writeCapture(join(folder, 'web_cali1.pcap'), [1])
  const { files } = await make({
    folder,
    base: '',
    fileNames: ['web_cali1.pcap'],
    place: undefined,
  } as unknown as Wanted)
  t.is(files[0]?.path, join(folder, `${stem}.tar.gz`))
})

test('another capture that made an archive of that name keeps it', async t => {
  const { folder, base } = stage(t)
  writeCapture(join(folder, 'web_cali1.pcap'), [1])
  mkdirSync(join(base, 'mine'), { recursive: true })
  writeFileSync(join(base, 'mine', `${stem}.tar.gz`), 'of another namespace')
  const { files } = await make({ folder, base, fileNames: ['web_cali1.pcap'] })
  t.is(files[0]?.path, join(base, 'mine', `${stem}-u-1.tar.gz`))
  t.is(readFileSync(join(base, 'mine', `${stem}.tar.gz`), 'utf8'), 'of another namespace')
})

test('a disk that is too full, files that are gone and an agent that stops leave no half archive', async t => {
  const { folder, base } = stage(t)
  writeCapture(join(folder, 'web_cali1.pcap'), [1])
  const full = await make({ folder, base, fileNames: ['web_cali1.pcap'] }, 101)
  t.deepEqual(full.files, [])
  t.regex(full.error ?? '', /Cannot write an archive to ".*": \d+ % of the disk are free/)
  const gone = await make({ folder, base, fileNames: ['web_cali1.pcap', 'db_cali2.pcap'] })
  t.deepEqual(gone.files, [])
  t.regex(gone.error ?? '', /ENOENT/)
  const stopped = await make(
    { folder, base, fileNames: ['web_cali1.pcap'], includeMetadata: true },
    0,
    AbortSignal.abort(),
  )
  t.deepEqual(stopped.files, [])
  t.deepEqual(readdirSync(join(base, 'mine')), [])
})

test('an archive is streamed: its size is not in memory', async t => {
  const { folder, base } = stage(t)
  writeCapture(join(folder, 'web_cali1.pcap'), [1])
  truncateSync(join(folder, 'web_cali1.pcap'), 600 * 1_024 * 1_024) // a hole: no disk is needed
  const peak = { bytes: 0 }
  const before = process.memoryUsage().rss
  const watch = setInterval(() => {
    peak.bytes = Math.max(peak.bytes, process.memoryUsage().rss - before)
  }, 20)
  t.teardown(() => clearInterval(watch))
  const { files, error } = await make({ folder, base, fileNames: ['web_cali1.pcap'] })
  t.is(error, undefined)
  t.is(files.length, 1)
  t.true(peak.bytes < 200 * 1_024 * 1_024, `${peak.bytes} bytes more than before`)
})
