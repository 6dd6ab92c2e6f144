// A few packets of both families, and which of them a pcap expression takes: libpcap's own word, by
// tcpdump on a real file.
import { execFileSync } from 'node:child_process'
import { ethernet, ipv4, ipv6, numbered, numberOf, tcp, udp } from './frames.ts'
import { packetsIn, pcapFile } from './pcap.ts'

type Packet = {
  readonly by: 'tcp' | 'udp'
  readonly from?: string
  readonly fromPort?: number
  readonly to?: string
  readonly toPort: number
}

/**
 * Those without addresses are IPv6, from 2001:db8::1 to 2001:db8::2. Numbered as they stand here.
 */
const packets: readonly Packet[] = [
  { by: 'tcp', from: '10.0.0.1', to: '10.1.2.3', toPort: 80 },
  { by: 'tcp', from: '10.1.2.3', fromPort: 80, to: '10.0.0.1', toPort: 4_000 },
  { by: 'tcp', from: '10.0.0.1', to: '10.1.2.3', toPort: 443 },
  { by: 'udp', from: '10.1.2.9', to: '192.0.2.2', toPort: 8_000 },
  { by: 'udp', from: '192.0.2.1', to: '192.0.2.2', toPort: 8_099 },
  { by: 'udp', from: '192.0.2.1', to: '192.0.2.2', toPort: 8_101 },
  { by: 'udp', toPort: 53 },
  { by: 'tcp', toPort: 80 },
]

const file = pcapFile(
  packets.map(frameOf).map((data, number) => ({ atUs: number, original: data.length, data })),
)

function frameOf({ by, from, to, fromPort = 4_000, toPort }: Packet, number: number): Buffer {
  const body = (by === 'tcp' ? tcp : udp)(numbered(number), { fromPort, toPort })
  const protocol = by === 'tcp' ? 6 : 17
  if (from === undefined || to === undefined)
    return ethernet({ type: 0x86dd, body: ipv6({ nextHeader: protocol, body }) })
  return ethernet({ type: 0x0800, body: ipv4({ from, to, protocol, body }) })
}

/** The numbers of the packets that it takes. */
export function takenBy(expression: string): (number | undefined)[] {
  const out = execFileSync('tcpdump', ['-r', '-', '-w', '-', expression], {
    input: file,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  return packetsIn(out).map(({ data }) => numberOf(data))
}
