// A report as its schema lets it through, whoever wrote it: nothing in it may stop the status of
// captures.
import test from 'ava'
import { reconcilePacketCapture } from '../../../src/api/packetcapture/reconcile.ts'
import { cachedReport, type ReportObject } from '../../../src/controller/cachedReport.ts'
import { noonMs, read, row } from '../../support/model/observations.ts'

const metadata = { name: 'a', uid: 'r', resourceVersion: '1' }
const listed = (report: ReportObject['report']) =>
  cachedReport({ metadata, ...(report && { report }) })

test('cachedReport() keeps the rows of an agent as they are', t => {
  const rows = [
    row('a', 'Capturing', {
      problems: [{ reason: 'DiskFloor', message: 'disk' }],
      file: { packets: 3, message: 'm' },
    }),
  ]
  const where = { address: 'here', port: 1, certificateFingerprint: 'ab' }
  t.deepEqual(listed({ ...where, reportedAt: 'then', captures: rows }).report, {
    ...where,
    reportedAt: 'then',
    captures: rows,
  })
})

test('cachedReport() forgets who manages which field', t => {
  const managed = { ...metadata, managedFields: [{ manager: 'selcap-agent' }] }
  t.notRegex(JSON.stringify(cachedReport({ metadata: managed })), /selcap-agent/)
})

const least = {
  api: 'PacketCapture',
  namespace: 'x',
  name: 'x',
  uid: 'u',
  file: { node: 'a', state: 'Capturing' },
} as const
const hostile: readonly (readonly [what: string, report: ReportObject['report'], rows: number])[] =
  [
    ['no report', undefined, 0],
    ['no captures', { reportedAt: 'never' }, 0],
    [
      'the least that the schema asks for',
      { captures: [{ ...least, file: { node: 'a' } as never }] },
      0,
    ],
    ['a row with a state alone', { captures: [least as never] }, 1],
    [
      'an endpoint without a word',
      { captures: [{ ...least, file: { ...least.file, endpoints: [{}] } } as never] },
      1,
    ],
    ['two rows of one capture', { captures: [least as never, least as never] }, 1],
    [
      "another node's name",
      { captures: [{ ...least, file: { node: 'b', state: 'Error' } } as never] },
      1,
    ],
  ]
for (const [what, report, count] of hostile) {
  test(`cachedReport() gives ${count} rows that reconcilePacketCapture() can fold of a report with ${what}`, t => {
    const { captures } = listed(report).report
    t.is(captures.length, count)
    const rows = captures.map(each => ({ row: each }))
    const { status } = reconcilePacketCapture({
      read: read({}),
      rows,
      nodes: 1,
      previous: undefined,
      nowMs: noonMs,
    })
    t.deepEqual(JSON.parse(JSON.stringify(status)), status)
    t.deepEqual(
      new Set(status.files.map(({ node }) => node)),
      new Set(status.files.length > 0 ? ['a'] : []),
    )
  })
}
