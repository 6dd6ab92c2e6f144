// Whether libpcap takes an expression: its own word, from tcpdump, outside this process.
import { spawnSync } from 'node:child_process'

export function compiles(expression: string): boolean {
  return spawnSync('tcpdump', ['-d', '-y', 'EN10MB', expression], { encoding: 'utf8' }).status === 0
}
