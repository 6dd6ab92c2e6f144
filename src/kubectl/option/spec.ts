// The options of `create` for the spec, and the spec that they make. Pure. In: options, the time.
// Out: a spec. src/api validates the spec, as on every node; selectors.ts turns pods, deployments
// and services into selectors.
import { type Command, Option } from 'commander'
import { CommandFailure } from '../../model/errors.ts'
import type { PacketCaptureSpec } from '../../model/packetCaptureSpec.ts'
import {
  readBytes,
  readCount,
  readMore,
  readSeconds,
  readWhen,
  type TimeOrSpan,
  whenMs,
} from './quantity.ts'
import { outputOf, type UploadOptions, withUpload } from './upload.ts'

export type SpecOptions = UploadOptions & {
  readonly selector?: string
  readonly port?: readonly string[]
  readonly protocol?: readonly string[]
  readonly filter?: readonly string[]
  readonly expression?: string
  readonly for?: number
  readonly from?: TimeOrSpan
  readonly until?: TimeOrSpan
  readonly limitDuration?: number
  readonly limitPackets?: number
  readonly limitBytes?: number
  readonly rotateSize?: number
  readonly rotateAfter?: number
  readonly rotateFiles?: number
  readonly snapLength?: number
  readonly payload?: 'Full' | 'Headers'
  readonly format?: 'pcap' | 'pcapng'
  readonly vantage?: 'Auto' | 'HostVeth' | 'PodNetns'
  readonly interface?: readonly string[]
  readonly cron?: string
  readonly window?: number
  readonly timeZone?: string
  readonly ttl?: number
}

const protocols = ['TCP', 'UDP', 'ICMP', 'ICMPv6', 'SCTP', 'UDPLite'] as const

export function withSpec(command: Command): Command {
  return withUpload(command)
    .option(
      '-l, --selector <selector>',
      'Calico selector over the namespace\'s pods, for example: app == "web"; default: all()',
    )
    .option(
      '--port <ports>',
      'source or destination port, or first:last; may be given again, or with commas between',
      readMore,
    )
    .option(
      '--protocol <names>',
      'TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number; may be given again',
      readMore,
    )
    .option(
      '--filter <protocol/ports>',
      'one rule of several that are ORed: TCP/80,8000:8080, UDP, or /53',
      (text, all: string[] = []) => [...all, text],
    )
    .option('--expression <pcap>', 'a pcap-filter expression that packets must fit as well')
    .option('--for <duration>', 'how long: 90s, 10m, 1h30m', readSeconds)
    .option('--from <time>', 'when to begin: RFC 3339, or so long from now: +10m', readWhen)
    .option('--until <time>', 'when to end: RFC 3339, or so long from now: +10m', readWhen)
    .option(
      '--limit-duration <duration>',
      'end on a node so long after its first packet could be seen',
      readSeconds,
    )
    .option('--limit-packets <count>', 'end on a node after so many packets', readCount)
    .option('--limit-bytes <size>', 'end on a node after so many bytes', readBytes)
    .option('--rotate-size <size>', 'a file is full at this size', readBytes)
    .option('--rotate-after <duration>', 'a file is full at this age', readSeconds)
    .option('--rotate-files <count>', 'full files to keep, of each endpoint', readCount)
    .option('--snap-length <bytes>', 'bytes kept of each packet', readCount)
    .addOption(
      new Option('--payload <kind>', 'Headers: nothing after the transport header').choices([
        'Full',
        'Headers',
      ]),
    )
    .addOption(new Option('--format <format>', 'of the files').choices(['pcap', 'pcapng']))
    .addOption(
      new Option('--vantage <side>', "which end of the pod's interface").choices([
        'Auto',
        'HostVeth',
        'PodNetns',
      ]),
    )
    .option(
      '--interface <names>',
      "inside the pods: eth0, lo, 'net*', or namespace/name of an attached network; may be given again, or with commas between",
      readMore,
    )
    .option('--cron <fields>', 'begin again and again, for example "0 2 * * *"; needs --window')
    .option('--window <duration>', 'how long each time of --cron', readSeconds)
    .option('--time-zone <name>', 'of --cron, for example Europe/Berlin')
    .option(
      '--ttl <duration>',
      'remove the capture and its files so long after it finished',
      readSeconds,
    )
}

export function specOf(
  options: SpecOptions,
  selector: string | undefined,
  nowMs: number,
): PacketCaptureSpec {
  const { cron, window, timeZone, ttl } = options
  if ((cron === undefined) !== (window === undefined))
    throw new CommandFailure(
      'usage',
      'Cannot make a schedule: expected --cron and --window together',
    )
  if (timeZone !== undefined && cron === undefined)
    throw new CommandFailure('usage', 'Cannot use --time-zone: expected --cron with it')
  const spec = {
    selector,
    filters: filtersOf(options),
    expression: options.expression,
    ...timesOf(options, nowMs),
    limits: givenFields({
      durationSeconds: options.limitDuration,
      packets: options.limitPackets,
      bytes: options.limitBytes,
    }),
    rotation: givenFields({
      maxSizeBytes: options.rotateSize,
      seconds: options.rotateAfter,
      maxFiles: options.rotateFiles,
    }),
    snapLength: options.snapLength,
    payload: options.payload,
    format: options.format,
    vantage: options.vantage,
    interfaces: options.interface,
    schedule: givenFields({ cron, timeZone, durationSeconds: window }),
    output: outputOf(options),
    ttlSecondsAfterFinished: ttl,
  }
  return (givenFields(spec) ?? {}) as PacketCaptureSpec
}

type Filters = { protocol?: string | number; ports?: (string | number)[] }[]

/** The filters of --port, --protocol and --filter. */
export function filtersOf({ port, protocol, filter }: SpecOptions): Filters | undefined {
  const ports = port && { ports: port.map(numberIfOne) }
  const simple = protocol
    ? protocol.map(name => ({ protocol: protocolOf(name), ...ports }))
    : ports
      ? [ports]
      : []
  const rules = (filter ?? []).map(text => {
    const [name = '', list, ...rest] = text.split('/')
    if (rest.length > 0 || (name === '' && !list))
      throw new CommandFailure(
        'usage',
        `Cannot read --filter "${text}": expected PROTOCOL/PORTS, PROTOCOL or /PORTS`,
      )
    return {
      ...(name !== '' && { protocol: protocolOf(name) }),
      ...(list && { ports: readMore(list).map(numberIfOne) }),
    }
  })
  return simple.length + rules.length === 0 ? undefined : [...simple, ...rules]
}

function timesOf(
  { from, until, for: seconds }: SpecOptions,
  nowMs: number,
): Pick<PacketCaptureSpec, 'startTime' | 'endTime'> {
  if (until && seconds !== undefined)
    throw new CommandFailure('usage', 'Cannot use --for and --until together: expected one of them')
  const startMs = from && whenMs(from, nowMs)
  const endMs = until
    ? whenMs(until, nowMs)
    : seconds === undefined
      ? undefined
      : (startMs ?? nowMs) + seconds * 1_000
  return {
    ...(startMs !== undefined && { startTime: new Date(startMs).toISOString() }),
    ...(endMs !== undefined && { endTime: new Date(endMs).toISOString() }),
  }
}

/** The API's spelling, whatever case was typed. */
function protocolOf(text: string): string | number {
  return protocols.find(name => name.toLowerCase() === text.toLowerCase()) ?? numberIfOne(text)
}

function numberIfOne(text: string): string | number {
  return /^\d{1,5}$/.test(text) ? Number(text) : text
}

/** Removes undefined fields; undefined if no field is left. */
function givenFields(fields: Readonly<Record<string, unknown>>): object | undefined {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
