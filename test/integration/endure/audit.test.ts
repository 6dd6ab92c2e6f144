// The audit of endurance runs finds each kind of fault that it is there for: one is planted into
// facts, or into a file, that are right without it.
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import {
  audit,
  auditChange,
  type CaptureFacts,
  type EndpointFacts,
  noSums,
  ranges,
} from '../../endure/audit.ts'
import { CaptureFiles } from '../../endure/captureFiles.ts'
import { pcapFile } from '../../support/pcap/pcap.ts'
import { header, packetBlock } from '../../support/pcap/pcapng.ts'

const startMs = 1_700_000_000_000
const numbers = Array.from({ length: 100 }, (_, number) => number)

/** A packet each 100 ms; all of them are in files. */
const right: EndpointFacts = {
  name: 'web-0',
  sent: {
    beforeMs: numbers.map(number => startMs + number * 100),
    afterMs: numbers.map(number => startMs + number * 100),
  },
  firstNumber: 0,
  found: numbers,
  takenAway: [],
  takenRotated: 0,
  crossed: 0,
  absent: [],
  excused: [],
  claim: { packets: 100, dropped: 0, lost: 0, gaps: [] },
}

const without = (...missing: readonly number[]) => numbers.filter(each => !missing.includes(each))

/** From one packet to another, and a little around. */
const span = (first: number, last: number) => ({
  fromMs: startMs + first * 100 - 20,
  toMs: startMs + last * 100 + 20,
})

function findings(change: Partial<EndpointFacts>, more: Partial<CaptureFacts> = {}): string[] {
  const facts = {
    name: 'web',
    uid: 'u',
    faults: [],
    refused: 0,
    endpoints: [{ ...right, ...change }],
  }
  return audit({ ...facts, ...more }).findings
}

const gap = { ...span(10, 12), reason: 'the pod or its interface was replaced' }
const claim = { packets: 97, dropped: 0, lost: 0, gaps: [] }
const threeMissing = { found: without(10, 11, 12), claim }

const fine: Readonly<Record<string, readonly [Partial<EndpointFacts>, Partial<CaptureFacts>?]>> = {
  'all is in files': [{}],
  'what is missing is counted as dropped': [{ ...threeMissing, claim: { ...claim, dropped: 3 } }],
  'what is missing is counted as refused': [threeMissing, { refused: 3 }],
  'what is missing lies in a gap': [{ ...threeMissing, claim: { ...claim, gaps: [gap] } }],
  'what is missing was not on the wire': [{ ...threeMissing, excused: [span(10, 12)] }],
  'what is missing was taken away with a file that was written': [
    { ...threeMissing, takenAway: [10, 11, 12], claim: { ...claim, packets: 100, lost: 3 } },
  ],
  'what is missing was taken away with a complete file': [
    {
      ...threeMissing,
      takenAway: [10, 11, 12],
      takenRotated: 3,
      claim: { ...claim, packets: 100 },
    },
  ],
  'what is missing was sent before the capture': [
    { found: without(0, 1), firstNumber: 2, claim: { ...claim, packets: 98 } },
  ],
}

for (const [title, [change, more]] of Object.entries(fine))
  test(`audit() finds nothing when ${title}`, t => t.deepEqual(findings(change, more), []))

const planted: Readonly<
  Record<string, readonly [RegExp, Partial<EndpointFacts>, Partial<CaptureFacts>?]>
> = {
  'a packet is in no file': [
    /^web: 1 packets are in no file and in no gap, 0 are counted.*web-0 lost 40 \(1\)/,
    { found: without(40), claim: { ...claim, packets: 99 } },
  ],
  'fewer are counted than are missing': [
    /3 packets are in no file and in no gap, 2 are counted: 1 refused, 1 dropped of web-0/,
    { ...threeMissing, claim: { ...claim, dropped: 1 } },
    { refused: 1 },
  ],
  'more are counted than are missing': [
    /5 packets are counted as dropped or refused, 3 are missing/,
    { ...threeMissing, claim: { ...claim, dropped: 5 } },
  ],
  'a packet is in two files': [
    /web-0: packets 7 are in files twice/,
    { found: [...numbers, 7], claim: { ...claim, packets: 101 } },
  ],
  'a gap begins too late': [
    /1 packets are in no file and in no gap/,
    { ...threeMissing, claim: { ...claim, gaps: [{ ...gap, ...span(11, 12) }] } },
  ],
  'a gap claims more than is missing': [
    /web-0: packets 13-27 are in files and within a stated gap/,
    { ...threeMissing, claim: { ...claim, gaps: [{ ...gap, ...span(10, 30) }] } },
  ],
  'the status counts what is in no file': [
    /web-0: 101 packets by the status and 0 of them lost, 100 in files, 0 in complete files/,
    { claim: { ...claim, packets: 101 } },
  ],
  'a file that was written was taken away, and nobody says so': [
    /web-0: 100 packets by the status and 0 of them lost, 97 in files/,
    { ...threeMissing, takenAway: [10, 11, 12], claim: { ...claim, packets: 100 } },
  ],
  'a packet came by an interface that is not its own': [
    /web-0: packets 13-27 came by an interface that is not its own/,
    { absent: [span(10, 30)] },
  ],
  'a packet was never sent': [
    /web-0: packets 100 are in files, 100 were sent/,
    { found: [...numbers, 100], claim: { ...claim, packets: 101 } },
  ],
  'a file is torn': [/^web: a\.pcap: torn$/, {}, { faults: ['a.pcap: torn'] }],
}

for (const [title, [expected, change, more]] of Object.entries(planted))
  test(`audit() finds that ${title}`, t => t.regex(findings(change, more).join('\n'), expected))

test('auditChange() finds what one fault left uncounted, or counted too often, whatever came before', t => {
  const before = { ...noSums, lost: 5, counted: 9, inGaps: 20 }
  const wrong = (change: object) => auditChange(before, { ...before, ...change }).length > 0
  t.false(wrong({}))
  t.false(wrong({ lost: 8, counted: 12 }))
  t.true(wrong({ lost: 8 }))
  t.true(wrong({ lost: 8, counted: 13 }))
  t.false(wrong({ lost: 8, counted: 13, inGaps: 21 }))
})

test('ranges() tells numbers as ranges, and counts what is too much to tell', t => {
  t.is(ranges([3, 1, 2, 9]), '1-3, 9')
  t.is(ranges([0, 2, 4, 6, 8, 10, 12, 14]), '0, 2, 4, 6, 8, 10 and 2 ranges more')
})

/** A frame as the senders make it. */
function frame(endpoint: number, number: number): Buffer {
  const bytes = Buffer.alloc(60)
  bytes.write('endure', 42, 'latin1')
  bytes.writeUInt16BE(endpoint, 48)
  bytes.writeUInt32BE(number, 50)
  return bytes
}

const packet = (data: Buffer) => ({ atUs: 1, original: data.length, data })

function filesOf(t: ExecutionContext, contents: Readonly<Record<string, Buffer>>) {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-audit-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  for (const [name, bytes] of Object.entries(contents)) writeFileSync(join(directory, name), bytes)
  return { directory, files: new CaptureFiles(directory, ['web-0', 'web-1']) }
}

test('CaptureFiles reads the numbers of both forms, and what a file grows by', t => {
  const { directory, files } = filesOf(t, {
    'web-0_cali1.pcap': pcapFile([packet(frame(0, 5))]),
    'web-1_cali2.pcapng': Buffer.concat([header('cali2'), packetBlock(1n, frame(1, 6))]),
    '.web-0_cali1.pcap.next1': Buffer.alloc(3),
  })
  t.deepEqual(files.read(), {
    byEndpoint: new Map([
      ['web-0', [5]],
      ['web-1', [6]],
    ]),
    foreign: [],
    faults: [],
  })
  appendFileSync(join(directory, 'web-1_cali2.pcapng'), packetBlock(2n, frame(1, 7)))
  t.deepEqual(files.read().byEndpoint.get('web-1'), [6, 7])
})

test('CaptureFiles finds a torn file in both forms', t => {
  const { directory, files } = filesOf(t, {
    'web-0_cali1.pcap': pcapFile([packet(frame(0, 5)), packet(frame(0, 6))]),
    'web-1_cali2.pcapng': Buffer.concat([header('cali2'), packetBlock(1n, frame(1, 6))]),
  })
  truncateSync(join(directory, 'web-0_cali1.pcap'), 24 + 76 + 20)
  appendFileSync(join(directory, 'web-1_cali2.pcapng'), packetBlock(2n, frame(1, 7)).subarray(0, 9))
  t.deepEqual(files.read(), {
    byEndpoint: new Map([
      ['web-0', [5]],
      ['web-1', [6]],
    ]),
    foreign: [],
    faults: [
      'web-0_cali1.pcap: torn, 20 bytes before its end',
      'web-1_cali2.pcapng: torn, 9 bytes before its end',
    ],
  })
})

test('CaptureFiles finds a packet of another endpoint, and one that nobody sent', t => {
  const { files } = filesOf(t, {
    'web-0_cali1.pcap': pcapFile([packet(frame(1, 9)), packet(Buffer.alloc(60, 1))]),
  })
  const { foreign, faults } = files.read()
  t.deepEqual(foreign, [{ file: 'web-0_cali1.pcap', owner: 'web-0', sender: 'web-1', number: 9 }])
  t.deepEqual(faults, ['web-0_cali1.pcap: a packet that nobody here sent, of 60 bytes'])
})
