// A TapManager in a test, specs for it, and looks at what it holds.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { type Logger, pino } from 'pino'
import { ringDriver } from '../../../src/driver/ring/ringDriver.ts'
import type { ActualEndpoint } from '../../../src/model/actualState.ts'
import type { CloseReason } from '../../../src/model/codes.ts'
import { defaultSettings } from '../../../src/model/settings.ts'
import { type TapSpec, tapId } from '../../../src/model/tap.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { TapManager } from '../../../src/tap/tapManager.ts'
import { readRecords } from '../pcap/captureFile.ts'
import { until } from '../until.ts'
import { podWithPort } from './podWithPort.ts'

export function folder(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-holder-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export async function holderIn(
  t: ExecutionContext,
  captureDir: string,
  log: Logger = pino({ level: 'silent' }),
  netnsDirectory?: string,
): Promise<TapManager> {
  const holder = await TapManager.open({
    driver: ringDriver(),
    clock: systemClock,
    node: 'node-0',
    settings: () => ({ ...defaultSettings, captureDir }),
    log,
    ...(netnsDirectory !== undefined && { netnsDirectory }),
  })
  t.teardown(() => holder.stop())
  return holder
}

export type Changes = Partial<Omit<TapSpec, 'capture' | 'endpoint'>> & {
  readonly name?: string
  readonly pod?: string
  readonly uid?: string
  readonly podUid?: string
}

export function specFor(
  interfaceName: string,
  { name = 'web', pod = 'web-0', uid = 'u1', podUid = 'p1', ...changes }: Changes = {},
): TapSpec {
  const captureKey = `shop/${name}`
  return {
    id: tapId(captureKey, pod),
    capture: { api: 'PacketCapture', namespace: 'shop', name, uid },
    captureKey,
    endpoint: { namespace: 'shop', name: pod, uid: podUid, addresses: [] },
    interfaceName,
    vantage: 'HostVeth',
    filter: 'udp',
    snapLength: 262_144,
    payload: 'Full',
    format: 'pcap',
    ringBytes: 524_288,
    rotation: { fileBytesMax: 10_000_000, fileAgeMsMax: 3.6e6, filesMax: 2 },
    limits: {},
    window: {},
    ...changes,
  }
}

export const open = (holder: TapManager, ...specs: TapSpec[]) =>
  holder.apply(specs.map(spec => ({ kind: 'open', spec })))
export const close = (holder: TapManager, id: string, reason: CloseReason) =>
  holder.apply([{ kind: 'close', id, reason }])

/**
 * A pod, a holder on a directory of its own, and the pod's interface captured. `captured`: sends,
 * waits for so many packets in all.
 */
export async function capturing(t: ExecutionContext, changes: Changes = {}) {
  const { pod, sender, port } = await podWithPort(t)
  const directory = folder(t)
  const holder = await holderIn(t, directory)
  await open(holder, specFor(pod.hostName, changes))
  return {
    pod,
    directory,
    holder,
    captured: async (count: number, all = count): Promise<void> => {
      await sender.udp({ to: pod.hostAddress, port, count })
      await until(`${all} packets`, () => row(holder).packets === all)
    },
  }
}

export function row(holder: TapManager, key = 'shop/web', pod = 'web-0'): ActualEndpoint {
  const found = holder.actualState().captures.get(key)?.endpoints.get(pod)
  if (!found) throw new Error(`there is no row ${pod} of ${key}`)
  return found
}

export const records = (directory: string, name = 'web'): number =>
  readdirSync(join(directory, 'shop', name))
    .filter(file => /^[^.].*\.pcap$/.test(file))
    .reduce(
      (sum, file) =>
        sum + readRecords(readFileSync(join(directory, 'shop', name, file)), 'pcap').length,
      0,
    )

export const isBalanced = ({ received, packets, dropped, refused }: ActualEndpoint): boolean =>
  received === packets + dropped + refused
