// A campaign against one or more targets: faults in an order at random, one after the other, an
// audit after each. In: stages, each with its seed, an end. Out: lines, sums, how many audits failed.
// The next fault is for the target that had the fewest. After a failed audit captures are made anew,
// so that one loss is told once.
import { setTimeout as after } from 'node:timers/promises'
import { addSums, audit, auditChange, type CaptureFacts, noSums, type Sums } from './audit.ts'
import type { Fault } from './fault.ts'
import { faults as allFaults } from './faults/all.ts'
import { grown, type Resources, resourcesOf } from './resources.ts'
import type { Stage } from './stage.ts'
import type { CaptureClaim } from './target.ts'

export type CampaignOptions = {
  readonly endMs: number
  readonly chosen: readonly string[] // names of faults; none: all
  readonly isPlanted: boolean
  readonly say: (line: string) => void
}

export type Result = {
  readonly faults: number
  readonly failed: readonly string[]
  readonly sums: Sums
}

const patienceMs = 40_000 // for counts and resources to arrive
const standstillMs = 15_000 // an agent reports its counts every ten seconds
const usedBytesMost = 48 * 1024 * 1024 // then captures are made anew
const gapsMost = 60 // the program keeps a hundred
const rates = [20, 100, 300, 600]

/** Of equal numbers of faults the first stage goes first. */
export async function campaign(
  stages: readonly Stage[],
  options: CampaignOptions,
): Promise<Result[]> {
  const runs = stages.map(stage => new CampaignRun(stage, options))
  for (const run of runs) await run.warmUp()
  for (;;) {
    const next = fewestFaults(runs.filter(run => run.goesOn))
    if (!next) break
    await next.applyNext()
  }
  if (options.isPlanted) for (const run of runs) await run.plant()
  return runs.map(run => run.result)
}

function fewestFaults(runs: readonly CampaignRun[]): CampaignRun | undefined {
  return runs.toSorted((a, b) => a.result.faults - b.result.faults)[0]
}

class CampaignRun {
  readonly #stage: Stage
  readonly #options: CampaignOptions
  readonly #usable: readonly Fault[]
  #order: Fault[] = []
  #longestMs = 0 // of a fault and its audit
  readonly #failed: string[] = []
  #number = 0
  #sums = noSums // of captures that are gone
  #now = noSums
  #audited: ReadonlyMap<string, Sums> = new Map() // by uid: after the last fault
  #claims: ReadonlyMap<string, CaptureClaim> = new Map()
  #counted = 0
  #resources: Resources | undefined
  #isAble = true

  constructor(stage: Stage, options: CampaignOptions) {
    this.#stage = stage
    this.#options = options
    this.#usable = allFaults
      .filter(({ on }) => on.includes(stage.target.name))
      .filter(({ name }) => options.chosen.length === 0 || options.chosen.includes(name))
  }

  /** A fault that would end much later than the campaign is not begun; the first one is. */
  get goesOn(): boolean {
    const isInTime = this.#number === 0 || Date.now() + this.#longestMs / 2 < this.#options.endMs
    return this.#isAble && this.#usable.length > 0 && isInTime
  }

  get result(): Result {
    return {
      faults: this.#number,
      failed: this.#failed,
      sums: addSums(this.#sums, this.#now),
    }
  }

  async warmUp(): Promise<void> {
    const { random } = this.#stage
    await this.#stage.sendAll({ perSecond: random.pick(rates), bytes: 100 })
    await after(1_500)
    await this.#stage.pauseAll()
    await this.#record(await this.#look('warmUp', undefined), 'warmUp', 'packets without a fault')
    this.#resources = resourcesOf(this.#stage.target.pid)
  }

  async applyNext(): Promise<void> {
    if (this.#order.length === 0) this.#order = this.#stage.random.shuffled(this.#usable)
    const fault = this.#order.pop()
    const beganMs = Date.now()
    if (fault) await this.#apply(fault)
    this.#longestMs = Math.max(this.#longestMs, Date.now() - beganMs)
  }

  async #apply(fault: Fault): Promise<void> {
    const { random } = this.#stage
    this.#number++
    const rate = { perSecond: random.pick(rates), bytes: random.between(60, 600) }
    const told = `${rate.perSecond} packets/s of ${rate.bytes} bytes`
    await this.#stage.sendAll(rate)
    await after(random.between(200, 800))
    const beganMs = performance.now()
    const watch = this.#watch()
    const cause = await this.#cause(fault)
    const findings = [...cause.findings, ...(await watch())]
    if (cause.findings.length === 0) {
      await this.#stage.sendAll(rate) // some faults have the senders rest
      await after(random.between(300, 800))
      await this.#stage.pauseAll()
      findings.push(...(await this.#look(fault.name, fault)))
    }
    const seconds = ((performance.now() - beganMs) / 1_000).toFixed(1)
    await this.#record(findings, fault.name, `${cause.told}; ${told}; ${seconds} s`)
  }

  /** A packet taken out of a file has to be found by the audit. */
  async plant(): Promise<void> {
    const [capture] = await this.#stage.facts()
    if (!capture) return
    const planted = withoutOnePacket(capture)
    for (const finding of audit(planted).findings) this.#options.say(`    planted: ${finding}`)
    if (audit(planted).findings.length > 0) this.#failed.push('planted')
  }

  async #cause(fault: Fault): Promise<{ readonly told: string; readonly findings: string[] }> {
    const findings: string[] = []
    const told = await fault.cause(this.#stage).catch((error: unknown) => {
      findings.push(`the fault did not come to its end: ${textOf(error)}`)
      return fault.name
    })
    await this.#stage.settled().catch((error: unknown) => findings.push(textOf(error)))
    return { told, findings }
  }

  // Counts never go backwards, also while a fault lasts.
  #watch(): () => Promise<string[]> {
    const ending = new AbortController()
    const findings = new Set<string>()
    const done = (async () => {
      while (!ending.signal.aborted) {
        for (const text of this.#backwards(await this.#stage.claims())) findings.add(text)
        await after(500, undefined, { signal: ending.signal }).catch(() => {}) // the end
      }
    })()
    return async () => {
      ending.abort()
      await done
      return [...findings]
    }
  }

  #backwards(now: ReadonlyMap<string, CaptureClaim>): string[] {
    const findings: string[] = []
    for (const [name, { uid, rows }] of now)
      for (const [endpoint, row] of rows) {
        const known = this.#claims.get(name)
        const before = known?.uid === uid ? known.rows.get(endpoint) : undefined
        for (const count of ['packets', 'dropped', 'lost'] as const)
          if (before && row[count] < before[count])
            findings.push(
              `${name}: ${count} of ${endpoint} went backwards: ${before[count]}, then ${row[count]}`,
            )
      }
    this.#claims = new Map([...this.#claims, ...now])
    return findings
  }

  /** The audit, again and again until it finds nothing, or for as long as there is patience. */
  async #look(name: string, fault: Fault | undefined): Promise<string[]> {
    const stage = this.#stage
    const gapsBefore = gapsIn(this.#claims)
    const endMs = performance.now() + patienceMs
    let [last, changedMs] = ['', performance.now()] // findings, and when they were others
    for (;;) {
      const facts = await stage.facts()
      const verdicts = facts.map(audit)
      const sums = verdicts.map(each => each.sums).reduce(addSums, noSums)
      const findings = verdicts.flatMap(each => each.findings)
      for (const [index, { name, uid }] of facts.entries())
        findings.push(
          ...auditChange(this.#audited.get(uid) ?? noSums, verdicts[index]?.sums ?? noSums).map(
            wrong => `${name}: ${wrong}`,
          ),
        )
      findings.push(...this.#leftOver(fault))
      const text = findings.join()
      if (text !== last) [last, changedMs] = [text, performance.now()]
      const isStill = performance.now() > Math.min(endMs, changedMs + standstillMs)
      if (findings.length === 0 || isStill) {
        this.#now = sums
        this.#audited = new Map(
          facts.map(({ uid }, index) => [uid, verdicts[index]?.sums ?? noSums]),
        )
        const claims = await stage.claims()
        findings.push(...this.#backwards(claims))
        if (fault && !fault.mayDrop && sums.counted > this.#counted)
          findings.push(`${name} dropped or refused ${sums.counted - this.#counted} packets`)
        if (fault && !fault.mayGap && gapsIn(claims) > gapsBefore)
          findings.push(`${name} made a gap: ${lastGap(claims)}`)
        this.#counted = sums.counted
        return findings
      }
      await after(250)
    }
  }

  #leftOver(fault: Fault | undefined): string[] {
    if (!this.#resources || !fault) return []
    return grown(this.#resources, resourcesOf(this.#stage.target.pid))
  }

  async #record(findings: readonly string[], name: string, told: string): Promise<void> {
    const { say } = this.#options
    const { target, disk } = this.#stage
    say(
      `${findings.length === 0 ? 'ok  ' : 'FAIL'} ${target.name} ${this.#number} ${name}: ${told}`,
    )
    for (const finding of findings) say(`    ${finding}`)
    if (findings.length > 0) this.#failed.push(name)
    const isFull = disk.usedBytes > usedBytesMost || gapsIn(this.#claims) > gapsMost
    if (findings.length > 0 || isFull) await this.#beginAnew()
  }

  async #beginAnew(): Promise<void> {
    const stage = this.#stage
    this.#sums = addSums(this.#sums, this.#now)
    try {
      await stage.pauseAll()
      if (!stage.target.isRunning) await stage.target.start()
      for (const capture of [...stage.captures]) await stage.makeAnew(capture)
    } catch (error) {
      this.#options.say(`    cannot go on: ${textOf(error)}`)
      this.#isAble = false
    }
    this.#now = noSums
    this.#counted = 0
    this.#claims = new Map()
  }
}

function withoutOnePacket(facts: CaptureFacts): CaptureFacts {
  const [first, ...others] = facts.endpoints
  if (!first) return facts
  const middle = Math.floor(first.found.length / 2)
  return { ...facts, endpoints: [{ ...first, found: first.found.toSpliced(middle, 1) }, ...others] }
}

function gapsIn(claims: ReadonlyMap<string, CaptureClaim>): number {
  return [...claims.values()]
    .flatMap(({ rows }) => [...rows.values()])
    .reduce((sum, { gaps }) => sum + gaps.length, 0)
}

function lastGap(claims: ReadonlyMap<string, CaptureClaim>): string {
  const gaps = [...claims.values()].flatMap(({ rows }) => [...rows.values()].flatMap(r => r.gaps))
  const last = gaps.toSorted((a, b) => a.fromMs - b.fromMs).at(-1)
  return last ? JSON.stringify(last) : 'none'
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
