// Each flag of `create` as the spec has it, and what is refused before anything is sent.

import test from 'ava'
import { Command } from 'commander'
import { type SpecOptions, specOf, withSpec } from '../../../../src/kubectl/option/spec.ts'

const noonMs = Date.UTC(2026, 5, 1, 12)

function specFor(args: readonly string[], selector?: string): object {
  const command = withSpec(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
  return JSON.parse(
    JSON.stringify(
      specOf(command.parse(args, { from: 'user' }).opts<SpecOptions>(), selector, noonMs),
    ),
  )
}

const rows: readonly (readonly [args: string, spec: object])[] = [
  ['', {}],
  ['--port 80', { filters: [{ ports: [80] }] }],
  ['--port 80,8000:8080 --port 443', { filters: [{ ports: [80, '8000:8080', 443] }] }],
  [
    '--protocol tcp --protocol UDP --port 53',
    {
      filters: [
        { protocol: 'TCP', ports: [53] },
        { protocol: 'UDP', ports: [53] },
      ],
    },
  ],
  ['--protocol icmpv6,47', { filters: [{ protocol: 'ICMPv6' }, { protocol: 47 }] }],
  [
    '--filter tcp/80,443 --filter UDP --filter /53',
    { filters: [{ protocol: 'TCP', ports: [80, 443] }, { protocol: 'UDP' }, { ports: [53] }] },
  ],
  [
    '--interface eth0,lo --interface net* --interface storage/fast',
    { interfaces: ['eth0', 'lo', 'net*', 'storage/fast'] },
  ],
  ['--expression host', { expression: 'host' }],
  ['--for 90s', { endTime: '2026-06-01T12:01:30.000Z' }],
  [
    '--from +10m --for 1h',
    { startTime: '2026-06-01T12:10:00.000Z', endTime: '2026-06-01T13:10:00.000Z' },
  ],
  [
    '--from 2026-06-02T00:00:00Z --until +48h',
    { startTime: '2026-06-02T00:00:00.000Z', endTime: '2026-06-03T12:00:00.000Z' },
  ],
  [
    '--limit-duration 1m --limit-packets 5 --limit-bytes 1000',
    { limits: { durationSeconds: 60, packets: 5, bytes: 1_000 } },
  ],
  [
    '--rotate-size 1000000 --rotate-after 1h --rotate-files 3',
    { rotation: { maxSizeBytes: 1_000_000, seconds: 3_600, maxFiles: 3 } },
  ],
  ['--snap-length 96', { snapLength: 96 }],
  ['--payload Headers', { payload: 'Headers' }],
  ['--format pcap', { format: 'pcap' }],
  ['--vantage PodNetns', { vantage: 'PodNetns' }],
  [
    '--cron @2 --window 10m --time-zone Europe/Berlin',
    { schedule: { cron: '@2', timeZone: 'Europe/Berlin', durationSeconds: 600 } },
  ],
  ['--ttl 1h', { ttlSecondsAfterFinished: 3_600 }],
]
for (const [args, spec] of rows)
  test(`specOf() has ${JSON.stringify(spec)} when the flags are "${args}"`, t =>
    t.deepEqual(specFor(args.split(' ').filter(Boolean)), spec))

test('specOf() has the selector that the targets were resolved to', t => {
  t.deepEqual(specFor([], 'app == "web"'), { selector: 'app == "web"' })
})

const refusals: readonly (readonly [args: string, message: RegExp])[] = [
  ['--cron x', /expected --cron and --window together/],
  ['--window 10m', /expected --cron and --window together/],
  ['--time-zone UTC', /expected --cron with it/],
  ['--for 1m --until +1m', /Cannot use --for and --until together/],
  [
    '--filter tcp/80/90',
    /Cannot read --filter "tcp\/80\/90": expected PROTOCOL\/PORTS, PROTOCOL or \/PORTS/,
  ],
  ['--filter /', /Cannot read --filter "\/"/],
]
for (const [args, message] of refusals)
  test(`specOf() refuses "${args}" as wrong usage`, t => {
    t.like(
      t.throws(() => specFor(args.split(' ')), { name: 'CommandFailure', message }),
      { exitCode: 2 },
    )
  })

for (const args of [
  '--payload Half',
  '--format cap',
  '--vantage Both',
  '--limit-packets 0',
  '--rotate-files x',
  '--for soon',
])
  test(`withSpec() refuses ${args}`, t =>
    void t.throws(() => specFor(args.split(' ')), { code: 'commander.invalidArgument' }))
