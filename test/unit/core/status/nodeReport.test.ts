// Which changes of a node's report are more than counts; its size:
// test/integration/kube/nodeReport.test.ts.
import test from 'ava'
import { sameButCounts } from '../../../../src/core/status/counters.ts'
import { reportState } from '../../../../src/core/status/nodeReport.ts'
import type { CaptureStatusElement } from '../../../../src/model/status.ts'
import { at, endpoint, noonMs } from '../../../support/model/observations.ts'
import { identity, nodeReport, told } from '../../../support/worlds/nodeReports.ts'

const before = told(
  'a',
  {
    message: '3 packets on the interfaces, none passed the filter "tcp"',
    wording: 'packets on the interfaces, none passed the filter "tcp"',
    problems: [
      { reason: 'DroppedPackets', message: '3 packets dropped', wording: 'packets dropped' },
    ],
  },
  { rows: 1, files: 1 },
).element
const [row = endpoint('web-0', 'Capturing')] = before.endpoints
const seen = { ...row, packets: 5, bytes: 500 }
const after = (change: Partial<CaptureStatusElement>): CaptureStatusElement => ({
  ...before,
  endpoints: [seen],
  ...change,
})
const changes: readonly (readonly [what: string, now: CaptureStatusElement, isUrgent: boolean])[] =
  [
    ['nothing', after({}), false],
    [
      'more packets',
      after({
        packets: 6,
        bytes: 600,
        dropped: 1,
        endpoints: [{ ...seen, packets: 6, bytes: 600, dropped: 1 }],
      }),
      false,
    ],
    [
      'more packets in words',
      after({
        message: '4 packets on the interfaces, none passed the filter "tcp"',
        problems: [
          { reason: 'DroppedPackets', message: '1 packet dropped', wording: 'packets dropped' },
        ],
      }),
      false,
    ],
    ['another file', after({ fileNames: ['a.pcap', 'b.pcap'] }), false],
    ['the first packet of an endpoint', after({ endpoints: [row] }), true],
    ['no file any more', after({ fileNames: [] }), true],
    ['a state', after({ state: 'Finished' }), true],
    ['a message', after({ message: 'no interface', wording: 'no interface' }), true],
    ['a problem', after({ problems: [] }), true],
    ['an endpoint', after({ endpoints: [seen, endpoint('web-1', 'WaitingForTraffic')] }), true],
    [
      'a gap',
      after({ endpoints: [{ ...seen, gaps: [{ from: at(noonMs), reason: 'down' }] }] }),
      true,
    ],
  ]
for (const [what, now, isUrgent] of changes) {
  test(`reportState() ${isUrgent ? 'differs' : 'is the same'} when ${what} changed`, t => {
    const state = (element: CaptureStatusElement) =>
      reportState(nodeReport([{ name: 'a', element }]), identity)
    t.is(sameButCounts(state(after({})), state(now)), !isUrgent)
  })
}
