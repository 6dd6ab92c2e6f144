import test from 'ava'
import { contentTypeOf } from '../../../src/gateway/download.ts'

for (const [file, type] of [
  ['web-0_eth0.pcap', 'application/vnd.tcpdump.pcap'],
  ['web-0_eth0.pcapng', 'application/vnd.tcpdump.pcap'],
  ['node-1.txt', 'text/plain'],
  ['node-1.txt.gz', 'application/gzip'],
  ['trace-node-1.tar.gz', 'application/gzip'],
] as const)
  test(`contentTypeOf() is ${type} for ${file}`, t => t.is(contentTypeOf(file), type))
