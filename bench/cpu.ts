// CPU per packet written, against `tcpdump -w` and against the `pcap` package with a JavaScript
// callback that writes the file. Same ring, snap length and file system, alternating in one run;
// medians of the ratios of each pair.
//   node bench/cpu.ts
import { capture, inNamespace, interfaceName, ip, type Kind, send } from './harness.ts'
import { holdNamespace, iperf } from './iperf.ts'
import { median } from './median.ts'

const pairs = 11
const ringBytes = 4_194_304

await inNamespace(async () => {
  const results: Record<string, number> = {}
  for (const size of [100, 500, 1_400]) {
    const traffic = () => send(size, 300_000, 150_000)
    results[`${size} B / tcpdump`] = await compare('tcpdump', `${size}-byte packets`, traffic)
    if (size === 100)
      results[`${size} B / package`] = await compare('package', `${size}-byte packets`, () =>
        send(size, 100_000, 50_000),
      )
  }
  results['bulk TCP / tcpdump'] = await bulk()
  process.stdout.write(`${JSON.stringify({ bench: 'cpu', ratios: results })}\n`)
})

async function compare(peer: Kind, what: string, traffic: () => Promise<void>): Promise<number> {
  const ratios: number[] = []
  const costs: [number[], number[]] = [[], []]
  for (let pair = 0; pair < pairs; pair++) {
    const runs = [
      await capture('ring', ringBytes, traffic),
      await capture(peer, ringBytes, traffic),
    ] as const
    const [ours, theirs] = runs.map(({ cpuMs, packets }) => (cpuMs * 1e6) / packets) as [
      number,
      number,
    ]
    costs[0].push(ours)
    costs[1].push(theirs)
    ratios.push(ours / theirs)
  }
  const ratio = median(ratios)
  process.stdout.write(
    `${what}: ${median(costs[0]).toFixed(0)} ns a packet, ${peer} ${median(costs[1]).toFixed(0)} ns, ratio ${ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})\n`,
  )
  return ratio
}

// A TCP stream over the same veth: its frames are as long as segmentation offload makes them.
async function bulk(): Promise<number> {
  const inside = await holdNamespace()
  inside.take('bench1', '10.9.9.2/24')
  ip('address', 'add', '10.9.9.1/24', 'dev', interfaceName)
  try {
    return await compare('tcpdump', 'bulk TCP', async () => {
      await iperf(inside, '10.9.9.2', '-n', '400M')
    })
  } finally {
    inside.end()
  }
}
