// Reads a PacketCaptureConfig: its spec becomes an intent, or a rejection with the reason. Pure;
// never throws. Addresses alone are captured on all interfaces of the host, on every node. Pods are
// captured on their own interfaces, which carry exactly the packets of their addresses, so the
// filter does not contain these.
import { isIPv4, isIPv6 } from 'node:net'
import { attemptsMax } from '../../core/schedule/artifactRetry.ts'
import type { SingleFile } from '../../model/artifact.ts'
import {
  type Intent,
  type Rejection,
  rejectionOf,
  type Scope,
  snapLengthMax,
} from '../../model/capture.ts'
import { type CaptureRef, captureKey } from '../../model/captureRef.ts'
import type { Settings } from '../../model/settings.ts'
import { filterInstructions } from '../../model/tap.ts'
import type { OtherCapture } from '../../model/world.ts'
import { at, type Fields, fields, integer, isGiven, oneOf, show } from '../fields.ts'
import { readExpression } from '../filterExpression.ts'
import { maskedNet } from '../maskedNet.ts'

const nameMax = 200 // the name becomes part of a file name
const listMax = { targetIPs: 256, targetPorts: 64, pods: 256 } as const
const fileHeaderBytes = 24 // of the single file
const startMs = 300_000 // nodes and pods that appear later do not take part, so that every capture ends
const fileAgeMsMax = 3_153_600_000_000 // a hundred years: files are not rotated by age, because they are merged at the end
const forms = ['pcap', 'text', 'stdout'] as const

export function parsePacketCaptureConfig(
  { metadata, spec }: OtherCapture,
  settings: Settings,
): Intent | Rejection {
  const { name, uid, generation, creationTimestamp } = metadata
  const capture: CaptureRef = { api: 'PacketCaptureConfig', namespace: '', name, uid }
  const key = captureKey(capture)
  try {
    if (name.length > nameMax)
      throw new RangeError(
        `metadata.name: found ${name.length} characters, expected at most ${nameMax}`,
      )
    const createdAtMs = Date.parse(creationTimestamp) || 0
    const read = at('spec', () => readSpec(fields(spec, ''), settings), '.')
    const window = { endMs: createdAtMs + (read.limits.durationMs ?? 0) + startMs }
    return { ok: true, capture, key, generation, createdAtMs, ...read, window }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return rejectionOf({ capture, key, generation }, `Cannot capture: ${error.message}`)
  }
}

type SpecField = Omit<Intent, 'ok' | 'capture' | 'key' | 'generation' | 'createdAtMs' | 'window'>

function readSpec(spec: Fields, settings: Settings): SpecField {
  const bytesMax = settings.maxCaptureFileSizeMb * 1_000_000
  const addresses = list(spec.targetIPs, 'targetIPs', listMax.targetIPs).map(readAddress)
  const pods = isGiven(spec.podSelector)
    ? readPods(fields(spec.podSelector, 'podSelector'))
    : undefined
  if (addresses.length === 0 && pods === undefined)
    throw new RangeError('targetIPs: found none, expected at least one address, or podSelector')
  const artifact: SingleFile = {
    kind: 'SingleFile',
    form: oneOf(spec.outputFormat, 'outputFormat', forms),
    directory: settings.packetCapturesDir,
    bytesMax,
  }
  return {
    ...(pods === undefined ? hostSide : sideOf(pods)),
    selector: 'all()',
    filter: bracketed(
      pods === undefined ? addresses : [],
      readPorts(spec.targetPorts),
      readFilter(spec.filter),
    ),
    filterInstructionsMax: filterInstructions.long,
    limits: {
      durationMs: (integer(spec.duration, 'duration', 1, 3_153_600_000) ?? 60) * 1_000,
      packets: integer(spec.maxPackets, 'maxPackets', 1) ?? 1_000,
      bytes: bytesMax - fileHeaderBytes,
    },
    rotation: { fileBytesMax: bytesMax, fileAgeMsMax, filesMax: 100 },
    snapLength: snapLengthMax,
    payload: 'Full',
    format: 'pcap',
    vantage: 'Auto',
    triesMax: attemptsMax,
    artifact,
    notes:
      pods !== undefined && addresses.length > 0
        ? ['targetIPs are looked for on the interfaces of the pods only']
        : [],
  }
}

const hostSide: Pick<Intent, 'scope' | 'matches'> = { scope: { kind: 'Host' }, matches: () => true }

type PodName = { readonly namespace: string; readonly name: string }

function sideOf(pods: readonly PodName[]): Pick<Intent, 'scope' | 'matches'> {
  const wanted = new Set(pods.map(({ namespace, name }) => `${namespace}/${name}`))
  const scope: Scope = {
    kind: 'Namespaces',
    names: [...new Set(pods.map(({ namespace }) => namespace))].toSorted(),
  }
  return { scope, matches: (_, { namespace, name }) => wanted.has(`${namespace}/${name}`) }
}

/** `(host A or net B) and (port P or port Q) and (filter)`, without empty parts. */
function bracketed(addresses: readonly string[], ports: readonly string[], filter: string): string {
  const parts = [addresses.join(' or '), ports.join(' or '), filter].filter(part => part !== '')
  return parts.map(part => `(${part})`).join(' and ')
}

function readAddress(value: unknown, index: number): string {
  const [address = '', length, more] = typeof value === 'string' ? value.split('/') : []
  const isAddress = isIPv4(address) || (isIPv6(address) && !address.includes('%'))
  const read =
    !isAddress || more !== undefined
      ? undefined
      : length === undefined
        ? `host ${address}`
        : maskedNet(address, length)
  if (read !== undefined) return read
  throw new RangeError(
    `targetIPs[${index}]: found ${show(value)}, expected an IPv4 or IPv6 address such as 10.0.0.1 or fd00::5, or a network such as 10.0.0.0/24`,
  )
}

function readPorts(value: unknown): string[] {
  return list(value, 'targetPorts', listMax.targetPorts).map((port, index) => {
    const read = integer(port, `targetPorts[${index}]`, 1, 65_535)
    if (read === undefined)
      throw new RangeError(`targetPorts[${index}]: found nothing, expected a port from 1 to 65535`)
    return `port ${read}`
  })
}

function readPods(selector: Fields): PodName[] {
  const pods = list(selector.pods, 'podSelector.pods', listMax.pods)
  if (pods.length === 0)
    throw new RangeError('podSelector.pods: found none, expected at least one pod')
  return pods.map((pod, index) => {
    const field = `podSelector.pods[${index}]`
    const { podName, namespace } = fields(pod, field)
    return {
      name: dnsName(podName, `${field}.podName`),
      namespace: dnsName(namespace, `${field}.namespace`),
    }
  })
}

function dnsName(value: unknown, field: string): string {
  if (typeof value === 'string' && /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(value))
    return value
  throw new RangeError(`${field}: found ${show(value)}, expected the name as Kubernetes has it`)
}

function readFilter(value: unknown): string {
  if (!isGiven(value) || value === '') return ''
  if (typeof value !== 'string')
    throw new RangeError(`filter: found ${show(value)}, expected a pcap expression`)
  return at('filter', () => readExpression(value))
}

function list(value: unknown, field: string, most: number): readonly unknown[] {
  if (!isGiven(value)) return []
  if (!Array.isArray(value)) throw new RangeError(`${field}: found ${show(value)}, expected a list`)
  if (value.length > most)
    throw new RangeError(`${field}: found ${value.length} entries, expected at most ${most}`)
  return value
}
