// What the faults act on: a target, its disk, its endpoints with their senders, its captures, and
// what is known of all packets. In: what a fault does. Out: facts for the audit.
import { closeSync, ftruncateSync, openSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { samplesIn } from '../support/metricSamples.ts'
import type { Namespace, Scope } from '../support/net/namespace.ts'
import { inside } from '../support/net/run.ts'
import { until } from '../support/until.ts'
import type { CaptureFacts, Claim, Span } from './audit.ts'
import { CaptureFiles, type ForeignPacket, isRotated } from './captureFiles.ts'
import type { Disk } from './disk.ts'
import type { Link } from './link.ts'
import type { Random } from './random.ts'
import type { EndlessSender, Rate } from './sender.ts'
import { type CaptureClaim, type CaptureSpec, metricsPort, type Target } from './target.ts'

export type Endpoint = {
  readonly name: string
  readonly link: Link
  readonly sender: EndlessSender
}

type OpenSpan = { readonly fromMs: number; toMs: number | undefined }

/** A capture, and what may be missing in it. */
export type TrackedCapture = {
  readonly name: string
  readonly spec: CaptureSpec
  readonly directory: string
  readonly files: CaptureFiles
  readonly firstNumbers: Map<string, number> // by endpoint
  readonly excused: Map<string, OpenSpan[]> // by endpoint
  readonly takenAway: Map<string, number[]> // by endpoint
  readonly takenRotated: Map<string, number> // by endpoint: how many of these, with complete files
  readonly absent: Map<string, Span[]> // by endpoint
}

export type StageParts = {
  readonly scope: Scope
  readonly target: Target
  readonly disk: Disk
  readonly endpoints: readonly Endpoint[] // in the order of the numbers in their packets
  readonly wanted: readonly string[] // the names of those that the captures select
  readonly elsewhere: Namespace
  readonly random: Random
}

const limitMs = () => 60_000 // an agent comes back up to half a minute after its API server
const beforeMs = 10 // a packet on its way when a cut begins
const noClaim: Claim = { packets: 0, dropped: 0, lost: 0, gaps: [] }

export class Stage {
  readonly target: Target
  readonly disk: Disk
  readonly endpoints: readonly Endpoint[]
  readonly elsewhere: Namespace
  readonly random: Random
  readonly captures: TrackedCapture[] = []
  readonly scope: Scope
  readonly #wanted: readonly string[]
  readonly #crossings: { readonly span: OpenSpan; readonly names: readonly string[] }[] = []

  constructor({ scope, target, disk, endpoints, wanted, elsewhere, random }: StageParts) {
    this.scope = scope
    this.target = target
    this.disk = disk
    this.endpoints = endpoints
    this.elsewhere = elsewhere
    this.random = random
    this.#wanted = wanted
  }

  /** Those that the captures select. */
  get wanted(): Endpoint[] {
    return this.endpoints.filter(({ name }) => this.#wanted.includes(name))
  }

  /** Resolves once it captures. The senders have to rest meanwhile. */
  async addCapture(name: string, spec: CaptureSpec): Promise<void> {
    const directory = join(this.target.captures, 'shop', name)
    const names = this.endpoints.map(endpoint => endpoint.name)
    const sent = this.endpoints.map(
      endpoint => [endpoint.name, endpoint.sender.sent.beforeMs.length] as const,
    )
    this.captures.push({
      name,
      spec,
      directory,
      files: new CaptureFiles(directory, names),
      firstNumbers: new Map(sent),
      excused: new Map(),
      takenAway: new Map(),
      takenRotated: new Map(),
      absent: new Map(),
    })
    await this.target.apply(name, spec)
    await this.settled()
  }

  /** Resolves once its files are gone. The senders have to rest meanwhile. */
  async removeCapture({ name, files }: TrackedCapture): Promise<void> {
    const at = this.captures.findIndex(capture => capture.name === name)
    this.captures.splice(at, 1)
    await this.target.remove(name)
    await this.until(`the files of ${name} to go`, async () => files.names().length === 0)
  }

  /** The same capture by name and spec, and another one to the program. */
  async makeAnew(capture: TrackedCapture): Promise<void> {
    await this.removeCapture(capture)
    await this.addCapture(capture.name, capture.spec)
  }

  async sendAll(rate: Rate): Promise<void> {
    await Promise.all(this.endpoints.map(({ sender }) => sender.send(rate)))
  }

  async pauseAll(): Promise<void> {
    await Promise.all(this.endpoints.map(({ sender }) => sender.pause()))
  }

  /** Packets of these endpoints may be missing in these captures until the result is called. */
  excuse(
    endpoints: readonly Endpoint[] = this.endpoints,
    captures: readonly TrackedCapture[] = this.captures,
  ): () => void {
    const span: OpenSpan = { fromMs: Date.now() - beforeMs, toMs: undefined }
    for (const { excused } of captures)
      for (const { name } of endpoints) excused.set(name, [...(excused.get(name) ?? []), span])
    return () => {
      span.toMs = Date.now()
    }
  }

  /**
   * The interfaces of two endpoints have each other's names until the result is called: packets of
   * one may be in files of the other.
   */
  cross(one: Endpoint, other: Endpoint): () => void {
    const span: OpenSpan = { fromMs: Date.now() - beforeMs, toMs: undefined }
    this.#crossings.push({ span, names: [one.name, other.name] })
    const isOver = this.excuse([one, other])
    return () => {
      span.toMs = Date.now()
      isOver()
    }
  }

  /** No packet of these endpoints may be in these captures' files until the result is called. */
  noteAbsent(names: readonly string[], captures: readonly TrackedCapture[]): () => void {
    const span: OpenSpan = { fromMs: Date.now(), toMs: undefined }
    for (const { absent } of captures)
      for (const name of names) absent.set(name, [...(absent.get(name) ?? []), span])
    return () => {
      span.toMs = Date.now()
    }
  }

  #isCrossed({ owner, sender, number }: ForeignPacket): boolean {
    const sent = this.endpoints.find(({ name }) => name === sender)?.sender.sent
    const atMs = sent?.beforeMs[number] ?? 0
    return this.#crossings.some(
      ({ span: { fromMs, toMs = atMs }, names }) =>
        [owner, sender].every(name => names.includes(name)) && atMs >= fromMs && atMs <= toMs,
    )
  }

  /** Resolves once each of these endpoints has a new gap in each of these captures. */
  async untilGaps(
    names: readonly string[],
    captures: readonly TrackedCapture[],
    before: ReadonlyMap<string, CaptureClaim>,
  ): Promise<void> {
    const gapsOf = (claims: ReadonlyMap<string, CaptureClaim>, capture: string, name: string) =>
      claims.get(capture)?.rows.get(name)?.gaps.length ?? 0
    await this.until('the gaps', async () => {
      const now = await this.claims()
      return captures.every(({ name: capture }) =>
        names.every(name => gapsOf(now, capture, name) > gapsOf(before, capture, name)),
      )
    })
  }

  /**
   * Moves a file of a capture to another name: what it held just then is not looked for any more.
   * What is written into it later is missing.
   */
  moveAway(capture: TrackedCapture, fileName: string, to: string): void {
    renameSync(join(capture.directory, fileName), to)
    const fd = openSync(to, 'r')
    try {
      this.#noteTakenAway(capture, fileName, capture.files.packetsIn(fd, fileName))
    } finally {
      closeSync(fd)
    }
  }

  /** Cuts a file of a capture to nothing. */
  cut(capture: TrackedCapture, fileName: string): void {
    const fd = openSync(join(capture.directory, fileName), 'r+')
    try {
      let packets = capture.files.packetsIn(fd, fileName)
      for (let more = packets; ; packets = more) {
        more = capture.files.packetsIn(fd, fileName) // until nothing came while it was read
        if (more.count === packets.count) break
      }
      ftruncateSync(fd)
      this.#noteTakenAway(capture, fileName, packets)
    } finally {
      closeSync(fd)
    }
  }

  #noteTakenAway(
    { files, takenAway, takenRotated }: TrackedCapture,
    fileName: string,
    { numbers, count }: ReturnType<CaptureFiles['packetsIn']>,
  ): void {
    const endpoint = files.endpointOf(fileName) ?? ''
    takenAway.set(endpoint, [...(takenAway.get(endpoint) ?? []), ...numbers])
    if (isRotated(fileName)) takenRotated.set(endpoint, (takenRotated.get(endpoint) ?? 0) + count)
  }

  /** Every capture has its taps open, and says nothing is wrong. */
  async settled(): Promise<void> {
    await this.until(
      'all captures to be at work',
      async () => (await this.whatIsWrong()) === undefined,
      async () => this.whatIsWrong(),
    )
  }

  async whatIsWrong(): Promise<string | undefined> {
    const taps = (await this.figures()).get('selcap_taps_open')
    const wanted = this.captures.length * this.#wanted.length
    if (taps !== wanted) return `${taps} taps are open, expected ${wanted}`
    const claims = await this.target.claims()
    for (const { name } of this.captures) {
      const wrong = wrongIn(claims.get(name), this.#wanted)
      if (wrong !== undefined) return `${name}: ${wrong}`
    }
    return undefined
  }

  /** Metrics by name; none if it does not answer. */
  async figures(): Promise<ReadonlyMap<string, number>> {
    const url = `http://127.0.0.1:${metricsPort}/metrics`
    const script = `import urllib.request as r; print(r.urlopen("${url}", timeout=5).read().decode())`
    const command = ['-S', '-c', script]
    return samplesIn(
      await inside(this.target.host.path, 'python3', command).catch(() => ''), // told as: no tap is open
    )
  }

  async claims(): Promise<ReadonlyMap<string, CaptureClaim>> {
    const all = await this.target.claims()
    return new Map([...all].filter(([name]) => this.captures.some(each => each.name === name)))
  }

  /** The senders have to rest meanwhile. */
  async facts(): Promise<CaptureFacts[]> {
    const figures = await this.figures()
    const claims = await this.claims()
    return this.captures.map(capture => {
      const { byEndpoint, foreign, faults } = capture.files.read()
      const wrong = foreign.filter(packet => !this.#isCrossed(packet))
      const labels = `{namespace="shop",capture="${capture.name}"}`
      return {
        name: capture.name,
        uid: claims.get(capture.name)?.uid ?? '',
        faults: [...faults, ...wrong.map(foreignText)],
        refused: figures.get(`selcap_packets_refused_total${labels}`) ?? 0,
        endpoints: this.wanted.map(({ name, sender }) => ({
          name,
          sent: sender.sent,
          firstNumber: capture.firstNumbers.get(name) ?? 0,
          found: byEndpoint.get(name) ?? [],
          takenAway: capture.takenAway.get(name) ?? [],
          takenRotated: capture.takenRotated.get(name) ?? 0,
          crossed: foreign.filter(({ owner }) => owner === name).length,
          absent: capture.absent.get(name) ?? [],
          excused: (capture.excused.get(name) ?? []) as readonly Span[],
          claim: claims.get(capture.name)?.rows.get(name) ?? noClaim,
        })),
      }
    })
  }

  async until(
    what: string,
    isSo: () => Promise<boolean>,
    found?: () => Promise<unknown>,
  ): Promise<void> {
    const log = { name: 'The program', tail: (lines?: number) => this.target.tail(lines) }
    const asked = async () => {
      if (!this.target.isRunning)
        throw new Error(`the program has ended. It said last:\n${this.target.tail(15)}`)
      return isSo()
    }
    await until(what, asked, { everyMs: 200, tails: [log], ...(found && { found }), limitMs })
  }
}

function foreignText({ file, sender, number }: ForeignPacket): string {
  return `${file}: packet ${number} of ${sender}`
}

function wrongIn(claim: CaptureClaim | undefined, wanted: readonly string[]): string | undefined {
  if (!claim) return 'it says nothing'
  for (const name of wanted) {
    const row = claim.rows.get(name)
    if (!row) return `it has no row of ${name}`
    if (row.state !== 'Capturing' && row.state !== 'WaitingForTraffic')
      return `${name} is ${row.state}`
    if (row.message !== undefined) return `${name} says: ${row.message}`
    if (row.gaps.some(({ toMs }) => toMs === undefined)) return `${name} is in a gap`
  }
  return undefined
}
