// Precision of a window's start and end: the first and the last packet in the file against
// startTime and endTime, a few seconds ahead when the manifest is written. One endpoint with 1,000
// packets a second, 250 endpoints with 100 each: a packet comes every 1 or 10 ms, so an error is up
// to that much too high. No peer: tcpdump has no start and no end.
//   node bench/window.ts [ENDPOINTS …]
import { readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { besideTraffic, endpointCounts, inNamespace } from './harness.ts'
import { median } from './median.ts'
import { addTapLinks, Standalone } from './standalone.ts'

const runs = 15
const recordBytes = 16 + 100
const counts = endpointCounts([1, 250])

/**
 * Of all the endpoints of one window, in milliseconds: positive is late. `apart`: how many more
 * packets are in the longest file than in the shortest; all see the same frames, of which the first
 * and the last may be within the window at some and not at others.
 */
type Errors = {
  readonly opening: readonly number[]
  readonly closing: readonly number[]
  readonly apart: number
}

setPriority(-20) // all that takes part, alike: what else runs on the machine should not decide

await inNamespace(async () => {
  const results: object[] = []
  for (const [index, endpoints] of counts.entries()) {
    addTapLinks(counts[index - 1] ?? 0, endpoints)
    await besideTraffic(endpoints === 1 ? 1_000 : 100, async () => {
      const app = await Standalone.start(`window-${endpoints}`, endpoints)
      try {
        const all: Errors[] = []
        for (let run = 0; run < runs; run++) all.push(await oneWindow(app, `run-${run}`, endpoints))
        results.push(shown(endpoints, all))
      } finally {
        await app.stop()
      }
    })
  }
  process.stdout.write(`${JSON.stringify({ bench: 'window', results })}\n`)
})

async function oneWindow(app: Standalone, name: string, endpoints: number): Promise<Errors> {
  const startMs = Date.now() + 2_000 + Math.round(Math.random() * 1_000) // anywhere between two turns of the engine
  const endMs = startMs + 1_500
  app.apply(name, {
    selector: 'all()',
    startTime: new Date(startMs).toISOString(),
    endTime: new Date(endMs).toISOString(),
  })
  while (app.state(name) !== 'Finished') await setTimeout(50)
  const times = Array.from({ length: endpoints }, (_, index) => timesOf(app.fileOf(name, index)))
  app.remove(name)
  const packets = times.map(({ packets }) => packets)
  return {
    opening: times.map(({ firstMs }) => firstMs - startMs),
    closing: times.map(({ lastMs }) => lastMs - endMs),
    apart: Math.max(...packets) - Math.min(...packets),
  }
}

/** Of the first and the last record of a pcap file with microseconds. */
function timesOf(file: string): { firstMs: number; lastMs: number; packets: number } {
  const bytes = readFileSync(file)
  const timeAt = (offset: number) =>
    bytes.readUInt32LE(offset) * 1_000 + bytes.readUInt32LE(offset + 4) / 1_000
  return {
    firstMs: timeAt(24),
    lastMs: timeAt(bytes.length - recordBytes),
    packets: (bytes.length - 24) / recordBytes,
  }
}

function shown(endpoints: number, all: readonly Errors[]): object {
  const figures = {
    opening: spread(all.map(({ opening }) => opening)),
    closing: spread(all.map(({ closing }) => closing)),
  }
  const text = Object.entries(figures).map(
    ([name, each]) =>
      `${name} ${each.median} ms (earliest ${each.earliest}, latest ${each.latest}; slowest endpoint ${each.slowest})`,
  )
  const apart = Math.max(...all.map(each => each.apart))
  process.stdout.write(
    `${endpoints} endpoints, ${all.length} windows: ${text.join('; ')}; files at most ${apart} packets apart\n`,
  )
  return { endpoints, windows: all.length, ...figures, apart }
}

function spread(
  windows: readonly (readonly number[])[],
): Record<'median' | 'earliest' | 'latest' | 'slowest', number> {
  const every = windows.flat()
  const rounded = (value: number) => Math.round(value * 10) / 10
  return {
    median: rounded(median(every)),
    earliest: rounded(Math.min(...every)),
    latest: rounded(Math.max(...every)),
    slowest: rounded(median(windows.map(errors => Math.max(...errors)))),
  }
}
