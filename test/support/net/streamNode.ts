// A node in a test: the real engine on a directory of manifests, the ring driver, real files; and
// live streams of its captures.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { ExecutionContext } from 'ava'
import { pino } from 'pino'
import { stringify } from 'yaml'
import { ringDriver } from '../../../src/driver/ring/ringDriver.ts'
import { Engine } from '../../../src/engine/engine.ts'
import type { PacketCaptureSpec } from '../../../src/model/packetCaptureSpec.ts'
import { defaultSettings, type Settings } from '../../../src/model/settings.ts'
import { StatusDirectory } from '../../../src/publish/statusDirectory.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { ManifestSource } from '../../../src/source/manifestSource.ts'
import { StandaloneMeta } from '../../../src/source/standaloneMeta.ts'
import { type NodeStream, openNodeStream } from '../../../src/stream/nodeStream.ts'
import { StreamBudget } from '../../../src/stream/streamBudget.ts'
import { TapManager } from '../../../src/tap/tapManager.ts'
import { readRecords } from '../pcap/captureFile.ts'
import { until } from '../until.ts'

const key = 'shop/web'

export class TestNode {
  readonly root: string
  readonly holder: TapManager
  readonly engine: Engine
  readonly budget: StreamBudget

  private constructor(root: string, holder: TapManager, engine: Engine, budget: StreamBudget) {
    this.root = root
    this.holder = holder
    this.engine = engine
    this.budget = budget
  }

  static async start(
    t: ExecutionContext,
    changes: Partial<Settings> & { readonly streamsMax?: number } = {},
  ): Promise<TestNode> {
    const root = mkdtempSync(join(tmpdir(), 'selcap-stream-'))
    t.teardown(() => rmSync(root, { recursive: true }))
    for (const name of ['manifests', 'captures', 'status']) mkdirSync(join(root, name))
    const { streamsMax = 8, ...changed } = changes
    const settings = () => ({
      ...defaultSettings,
      captureDiskFreePercentMin: 0,
      captureDir: join(root, 'captures'),
      ...changed,
    })
    const parts = {
      driver: ringDriver(),
      clock: systemClock,
      node: 'node-0',
      settings,
      log: pino({ level: 'silent' }),
    }
    const holder = await TapManager.open(parts)
    t.teardown(() => holder.stop())
    const identities = await StandaloneMeta.open(join(root, 'status', '.identities.json'))
    const source = await ManifestSource.open({
      ...parts,
      directory: join(root, 'manifests'),
      identities,
    })
    t.teardown(() => source[Symbol.asyncDispose]())
    const publisher = new StatusDirectory(join(root, 'status'), [])
    const compile = (filter: string, snapLength: number) => parts.driver.compile(filter, snapLength)
    const engine = new Engine({
      ...parts,
      source,
      tapManager: holder,
      publisher,
      compile,
      counterMs: 1_000,
      onExpired: () => {},
      onTurn: () => {},
    })
    const stop = new AbortController()
    const running = engine.run(stop.signal)
    t.teardown(() => {
      stop.abort()
      return running
    })
    return new TestNode(
      root,
      holder,
      engine,
      new StreamBudget({ turns: engine, settings, streamsMax }),
    )
  }

  write(name: string, ...documents: object[]): void {
    writeFileSync(
      join(this.root, 'manifests', name),
      documents.map(document => stringify(document)).join('---\n'),
    )
  }

  remove(name: string): void {
    rmSync(join(this.root, 'manifests', name))
  }

  /** Waits for so many open taps of the capture. */
  has(taps: number): Promise<void> {
    return until(`${taps} taps`, () => this.engine.specsOf(key)?.specs.length === taps)
  }

  open(): NodeStream {
    const uid = this.engine.specsOf(key)?.capture.uid ?? ''
    return this.openAs(key, uid)
  }

  openAs(captureKey: string, uid: string): NodeStream {
    const parts = {
      driver: ringDriver(),
      turns: this.engine,
      clock: systemClock,
      node: 'node-0',
      log: pino({ level: 'silent' }),
    }
    const limits = { windowMs: 2_000 } // this machine may be as busy as it likes: order does not depend on it
    return openNodeStream({ ...parts, budget: this.budget, limits }, captureKey, uid)
  }

  /** Frames in the files of the capture. */
  filed(): Buffer[] {
    const directory = join(this.root, 'captures', 'shop', 'web')
    const files = readdirSync(directory).filter(file => /^[^.].*\.pcap$/.test(file))
    return files.flatMap(file => readRecordsOf(join(directory, file)))
  }
}

function readRecordsOf(file: string): Buffer[] {
  return readRecords(readFileSync(file), 'pcap').map(({ bytes }) => bytes)
}

/** Keeps what comes; nothing is taken while it is paused. */
export class Keeper {
  readonly #parts: Buffer[] = []
  readonly ended: Promise<void>

  constructor(stream: Readable) {
    stream.on('data', (bytes: Buffer) => this.#parts.push(bytes))
    this.ended = new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject))
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

export function endpoint(
  name: string,
  interfaceName: string | undefined,
  address?: string,
): object {
  const spec = {
    ...(interfaceName !== undefined && { interfaceName }),
    ...(address !== undefined && { ipNetworks: [`${address}/32`] }),
  }
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'WorkloadEndpoint',
    metadata: { name, namespace: 'shop', labels: { app: 'web' } },
    spec,
  }
}

export function capture(spec: PacketCaptureSpec = {}): object {
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { filters: [{ protocol: 'UDP' }], ...spec },
  }
}
