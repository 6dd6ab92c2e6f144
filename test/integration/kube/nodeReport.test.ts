// What a node tells: which captures, how much of them when it is too much, and what of it is worth
// telling at once.
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import { type NodeReportStatus, reportOf } from '../../../src/core/status/nodeReport.ts'
import { apiErrorMessage } from '../../../src/kube/request.ts'
import { reportPath } from '../../../src/kube/resources.ts'
import { useReports } from '../../support/kube/reports.ts'
import { at, endpoint, noonMs } from '../../support/model/observations.ts'
import { node } from '../../support/worlds/documents.ts'
import { budgets, identity, nodeReport, type Told, told } from '../../support/worlds/nodeReports.ts'

const server = useReports()
const bytesMax = 512 * 1_024
const report = (...all: readonly Told[]): NodeReportStatus =>
  reportOf(nodeReport(all), identity, budgets)

test('reportOf() tells of captures with endpoints here, or only host-networked pods, by name', t => {
  const none = { endpoints: [], isListed: false }
  const all = [
    told('b'),
    told('rejected', { ...none, isRejected: true }),
    told('nobody', none),
    told('proxy', { ...none, isUncapturable: true }),
    told('a'),
  ]
  t.deepEqual(
    report(...all).captures.map(({ name, isListed }) => [name, isListed]),
    [
      ['a', true],
      ['b', true],
      ['proxy', false],
    ],
  )
})

const many = (count: number, make: (index: number) => Told): Told[] =>
  Array.from({ length: count }, (_, index) => make(index))
const name = (index: number) => `capture-${String(index).padStart(4, '0')}`
const long = 'é'.repeat(10_000)
const problems = [{ reason: 'LostInterface', message: long }] as const

// [what, who tells, captures left, endpoints left of the first, file names left of the first]
const sizes: readonly (readonly [
  what: string,
  all: () => Told[],
  captures: number,
  rows: number,
  files: number,
  truncated: boolean,
])[] = [
  ['three endpoints and files', () => [told('a', {}, { rows: 3, files: 3 })], 1, 3, 3, false],
  ['20,000 files', () => [told('a', {}, { files: 20_000 })], 1, 1, 100, true],
  ['5,000 endpoints', () => [told('a', {}, { rows: 5_000 })], 1, 100, 0, true],
  ['both', () => [told('a', {}, { rows: 5_000, files: 20_000 })], 1, 100, 100, true],
  [
    '500 captures with ten endpoints each',
    () => many(500, index => told(name(index), {}, { rows: 10 })),
    500,
    1,
    0,
    true,
  ],
  [
    'endless messages',
    () => many(200, index => told(name(index), { problems, message: long })),
    200,
    1,
    0,
    true,
  ],
]
for (const [what, all, captures, rows, files, truncated] of sizes) {
  test.serial(
    `reportOf() stays within 512 KiB with ${what}, and the API server takes it`,
    async t => {
      const made = report(...all())
      const [first] = made.captures
      t.true(Buffer.byteLength(JSON.stringify(made)) <= bytesMax)
      t.deepEqual(
        [
          made.captures.length,
          first?.file.endpoints.length,
          first?.file.fileNames.length,
          made.truncated,
        ],
        [captures, rows, files, truncated],
      )
      t.like(first?.file, { packets: 5, bytes: 500 })
      t.true(isDeepStrictEqual(await stored(made), made), 'it comes back as it was written')
    },
  )
}

test.serial(
  'reportOf() of 5,000 captures keeps those at work, and the API server takes it',
  async t => {
    const isAtWork = (index: number) => index % 10 === 7
    const made = report(
      ...many(5_000, index =>
        told(name(index), {}, { state: isAtWork(index) ? 'Capturing' : 'Finished' }),
      ),
    )
    t.true(Buffer.byteLength(JSON.stringify(made)) <= bytesMax)
    t.true(made.truncated)
    const atWork = made.captures.filter(({ file }) => file.state === 'Capturing')
    t.deepEqual(
      atWork.map(row => row.name),
      Array.from({ length: 5_000 }, (_, index) => index)
        .filter(isAtWork)
        .map(name),
    )
    t.true(made.captures.length > atWork.length)
    t.true(atWork.every(({ file }) => file.endpoints.length === 1))
    t.true(isDeepStrictEqual(await stored(made), made), 'it comes back as it was written')
  },
)

test('reportOf() stays within 512 KiB when the first captures are the largest', t => {
  const large = (index: number) =>
    index < 300 ? { problems: Array.from({ length: 8 }, () => problems[0]), message: long } : {}
  const made = report(...many(3_000, index => told(name(index), large(index))))
  t.true(Buffer.byteLength(JSON.stringify(made)) <= bytesMax)
})

test('reportOf() leaves out pods that are gone before those that are here, but for the one that ended last', t => {
  const ended = Array.from({ length: 3_000 }, (_, index) =>
    endpoint(`gone-${index}`, 'Finished', { endedAt: at(noonMs - Math.abs(index - 1_234)) }),
  )
  const endpoints = [endpoint('a', 'Capturing'), ...ended, endpoint('b', 'WaitingForTraffic')]
  const { file } = report(told('a', { endpoints })).captures[0] ?? {}
  t.deepEqual(
    file?.endpoints.map(({ pod }) => pod),
    ['a', 'gone-1234', 'b'],
  )
})

/** The report as it comes back from the server. */
async function stored(made: NodeReportStatus): Promise<object | undefined> {
  const body = {
    apiVersion: 'selcap.dev/v1alpha1',
    kind: 'NodeCaptureReport',
    metadata: { name: node },
    report: { ...made, reportedAt: at(noonMs) },
  }
  const response = await server().kube({
    path: `${reportPath}/${node}`,
    method: 'PATCH',
    query: { fieldManager: 'test', force: 'true' },
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  })
  const said = await apiErrorMessage(response)
  if ((response.statusCode ?? 0) >= 300) throw new Error(said)
  const { reportedAt: _, ...report } = (await server().stored())?.report ?? { reportedAt: '' }
  return report
}
