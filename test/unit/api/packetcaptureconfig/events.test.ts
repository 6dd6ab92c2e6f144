// Which Events a change of a PacketCaptureConfig's status makes.
import test from 'ava'
import { configEventsFor } from '../../../../src/api/packetcaptureconfig/events.ts'
import {
  deleted,
  type NodeFile,
  type PacketCaptureConfigStatus,
} from '../../../../src/api/packetcaptureconfig/status.ts'

type Status = PacketCaptureConfigStatus

const file = (status: string, change: object = {}) =>
  ({ status, output_file: '', ...change }) as NodeFile
const status = (
  phase: Status['phase'],
  captureFiles: Readonly<Record<string, NodeFile>>,
  message = 'said',
) => ({ phase, message, captureFiles }) as Status

const without = (node: string) => ({ node, kind: 'Linux', pods: ['web'] }) as const
const running = status('Running', { '10.0.0.1': file('running') })
const stored = file('completed', { output_file: '/a.pcap' })
const completed = status('Completed', { '10.0.0.1': stored })

const rows: readonly (readonly [
  what: string,
  before: Status | undefined,
  now: Status,
  events: readonly string[],
])[] = [
  ['nodes begin', undefined, running, ['CaptureStarted: Capturing on 1 node']],
  ['nodes go on', running, running, []],
  ['all are done', running, completed, ['CaptureCompleted: said']],
  [
    'all were done before the first look',
    undefined,
    completed,
    ['CaptureStarted: Capturing on 1 node', 'CaptureCompleted: said'],
  ],
  [
    'one failed',
    running,
    status('Failed', { '10.0.0.1': file('failed', { attempts: 1 }) }),
    ['CaptureFailed: said'],
  ],
  [
    'it failed before a node began',
    undefined,
    status('Failed', { '10.0.0.1': file('failed') }),
    ['CaptureFailed: said'],
  ],
  [
    'nodes begin, and others do not',
    undefined,
    status('Running', { a: file('running'), b: file('completed'), c: file('starting') }),
    ['CaptureStarted: Capturing on 2 nodes'],
  ],
  [
    'two attempts failed and another one follows',
    running,
    status('Running', { '10.0.0.1': file('running', { attempts: 2 }) }),
    [1, 2].map(
      attempt => `CaptureRetrying: Attempt ${attempt} failed on 10.0.0.1, and is made again`,
    ),
  ],
  [
    'a third attempt failed and none follows',
    status('Running', { '10.0.0.1': file('running', { attempts: 2 }) }),
    status('Running', { '10.0.0.1': file('failed', { attempts: 3 }) }),
    [],
  ],
  [
    'a file was deleted',
    completed,
    status('Completed', { '10.0.0.1': { ...stored, output_file: deleted } }),
    ['FileDeleted: File /a.pcap was deleted on 10.0.0.1'],
  ],
  [
    'another node is without an agent',
    { ...running, withoutAgent: [without('far')] },
    { ...running, withoutAgent: [without('far'), without('aci')] },
    ['NoAgent: aci: no agent runs there, so nothing is captured of web'],
  ],
  [
    'a deleted file stays deleted',
    status('Completed', { a: { ...stored, output_file: deleted } }),
    status('Completed', { a: { ...stored, output_file: deleted } }),
    [],
  ],
]
for (const [what, before, now, events] of rows)
  test(`configEventsFor() makes ${events.length} when ${what}`, t =>
    t.deepEqual(
      configEventsFor(before, now).map(({ reason, message }) => `${reason}: ${message}`),
      events,
    ))

test('configEventsFor() makes warnings of failures, and marks each by its node', t => {
  const failed = status('Failed', {
    a: file('running', { attempts: 1 }),
    b: file('running', { attempts: 1 }),
  })
  t.deepEqual(
    configEventsFor(running, failed).map(({ type, reason, mark }) => [type, reason, mark]),
    [
      ['Warning', 'CaptureRetrying', 'a 1'],
      ['Warning', 'CaptureRetrying', 'b 1'],
      ['Warning', 'CaptureFailed', undefined],
    ],
  )
})
