// Packets lost at rising rates, our driver and `tcpdump -B` with the same ring memory, in turn, in
// one run. A packet is lost if it was sent and is not in the file, counted by the file's length:
// all frames have one size. The kernel drops that each program reports must be the same number.
//   node bench/loss.ts [RING_KIB …]
import { setPriority } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { capture, inNamespace, type Kind, type Run, send } from './harness.ts'
import { median } from './median.ts'

const pairs = 5
const frameBytes = 100
const seconds = 2
const blockMs = 1_200 // tcpdump has a partly filled block given to it after a second: until then it is not lost
const rates = [50_000, 100_000, 200_000, 400_000, 0] as const // 0: as fast as it can
const kibs = process.argv.slice(2).map(Number)
const ringKibs = kibs.length > 0 ? kibs : [4_096, 1_024, 512]

setPriority(-20) // the sender and both programs alike: what else runs on the machine should not decide

type Loss = { readonly percent: number; readonly unexplained: number; readonly perSecond: number }

await inNamespace(async () => {
  const results: object[] = []
  process.stdout.write(
    'ring, sent a second (reached): ours lost, tcpdump lost; medians of pairs, worst in brackets; told wrongly\n',
  )
  for (const ringKib of ringKibs)
    for (const rate of rates) results.push(await compare(ringKib, rate))
  process.stdout.write(`${JSON.stringify({ bench: 'loss', results })}\n`)
})

async function compare(ringKib: number, rate: number): Promise<object> {
  const ours: Loss[] = []
  const theirs: Loss[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const inTurn = [
      async () => ours.push(await lose('ring', ringKib, rate)),
      async () => theirs.push(await lose('tcpdump', ringKib, rate)),
    ]
    for (const run of pair % 2 === 0 ? inTurn : inTurn.toReversed()) await run()
  }
  const reached = median([...ours, ...theirs].map(({ perSecond }) => perSecond))
  const row = {
    ringKib,
    rate: rate || 'full',
    reached: Math.round(reached),
    ours: shown(ours),
    tcpdump: shown(theirs),
    worsePairs: ours.filter(({ percent }, pair) => percent > (theirs[pair]?.percent ?? 0)).length,
    unexplained: [ours, theirs].map(all =>
      Math.max(...all.map(({ unexplained }) => Math.abs(unexplained))),
    ),
  }
  process.stdout.write(
    `${ringKib} KiB, ${row.rate} (${row.reached}): ${row.ours}, tcpdump ${row.tcpdump}; ours lost more in ${row.worsePairs} of ${pairs}; ${row.unexplained.join(', ')}\n`,
  )
  return row
}

async function lose(kind: Kind, ringKib: number, rate: number): Promise<Loss> {
  const count = (rate || 500_000) * seconds
  const sending = { ms: 0 }
  const run = await capture(kind, ringKib * 1024, async () => {
    const startMs = performance.now()
    await send(frameBytes, count, rate)
    sending.ms = performance.now() - startMs
    await setTimeout(blockMs)
  })
  const lost = count - recordsOf(run)
  return {
    percent: (100 * lost) / count,
    unexplained: lost - run.dropped,
    perSecond: (count / sending.ms) * 1000,
  }
}

function recordsOf({ bytes }: Run): number {
  return (bytes - 24) / (16 + frameBytes)
}

function shown(losses: readonly Loss[]): string {
  const percents = losses.map(({ percent }) => percent)
  return `${median(percents).toFixed(2)} % (${Math.max(...percents).toFixed(2)})`
}
