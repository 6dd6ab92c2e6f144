// What a tenant may write as a pcap expression: no word of it is looked up anywhere.
// test/integration/node/native/filter.test.ts puts the same to libpcap.
import test from 'ava'
import { expressionLengthMax, readExpression } from '../../../src/api/filterExpression.ts'
import { legalExpressions } from '../../support/model/filterSamples.ts'

for (const text of legalExpressions)
  test(`readExpression() leaves ${text} as it is`, t => t.is(readExpression(text), text))

for (const [text, read] of [
  ['ip proto \\tcp', 'ip proto 6'],
  ['proto \\udp or proto \\icmp6', 'proto 17 or proto 58'],
  ['ether proto \\ip6', 'ether proto 34525'],
  ['not (ip proto \\esp)', 'not (ip proto 50)'],
] as const)
  test(`readExpression() puts the number of a protocol in place of its name: ${text}`, t =>
    t.is(readExpression(text), read))

const refusals: readonly (readonly [text: string, words: RegExp])[] = [
  [
    'host 736563726574.dead.beef.de:1:2',
    /^found "736563726574\.dead\.beef\.de:1:2", expected an address/,
  ],
  ['host 1-2', /^found "1-2", expected a range of ports behind "portrange" only/],
  ['port 80-90', /^found "80-90", expected a range of ports/],
  ['portrange 1-2 or host 3-4', /^found "3-4"/],
  ['host 1.2.3.4.5', /^found the name "1\.2\.3\.4\.5"/],
  ['host 1.2.3.4.', /^found the name "1\.2\.3\.4\."/],
  ['host 10.0.0.1a', /^found the name "10\.0\.0\.1a"/],
  ['host 0x1g', /^found the name "0x1g"/],
  ['host beef.de', /^found the name "beef\.de"/],
  ['host ab-cd', /^found the name "ab-cd"/],
  ['host ip_', /^found "_" at character 8/],
  ['host 1:2:3', /^found "1:2:3", expected an address/],
  ['host ::1%eth0.evil.example', /^found the name "eth0\.evil\.example"/],
  ['host ::ffff:1.2.3.256', /expected an address/],
  ['host 1::2::3', /expected an address/],
  ['ether host 1:2:3:4:5', /expected an address/],
  ['ether host 1:2:3:4:5:6:7', /expected an address/],
  ['len-4 > 0', /^found the name "len-4"/],
  ['port http', /^found the name "http"/],
  ['net localnet', /^found the name "localnet"/],
  ['\\tcp', /^found "\\tcp", expected "proto" and then one of \\icmp, /],
  ['host \\evil.example', /^found "\\evil\.example", expected "proto"/],
  ['ip proto \\evil', /^found "\\evil"/],
  ['ether proto \\tcp', /^found "\\tcp", expected "proto" and then one of \\ip, /],
  ['llc evil', /^found the name "evil"/],
  ['rr', /^found the name "rr"/],
  ['ip host "evil.example"', /^found "\\"" at character 9/],
  ['host evil\u00a0example', /^found .* at character 10/],
  ['ip protochain 6', /expected "proto"/],
  ['gateway a', /needs a host name/],
  ['tcp[evil]', /^found the name "evil"/],
  ['tcp) or (udp', /^found brackets that do not match/],
  ['', /^found nothing/],
  [' '.repeat(expressionLengthMax + 1), /^found 1025 characters/],
]
for (const [text, words] of refusals)
  test(`readExpression() refuses ${JSON.stringify(text.slice(0, 40))}`, t => {
    t.throws(() => readExpression(text), { instanceOf: RangeError, message: words })
  })
