// test/integration/node/native/longFilter.test.ts compares these numbers with libpcap's.
import test from 'ava'
import { leastInstructions } from '../../../src/driver/filterSize.ts'

for (const [expression, least] of [
  ['', 0],
  ['tcp', 12],
  ['tcp[0] = 1', 0],
  ['port 80', 52],
  ['tcp src port 80', 15],
  ['src or dst port 80', 37],
  ['port 80 or 443 or 8080', 156],
  ['tcp and (port 80 or portrange 8000-8080)', 146],
  ['host 10.0.0.1 or host 2001:db8::1', 40],
  ['ether host 02:00:00:00:00:01', 8],
  ['net 10.0.0.0 mask 255.0.0.0', 26],
  ['port 80 and ip[2:2] = 5', 52],
] as const)
  test(`leastInstructions() is ${least} for ${expression || 'nothing'}`, t =>
    t.is(leastInstructions(expression), least))
