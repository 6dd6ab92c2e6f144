import test from 'ava'
import type { ShownCapture } from '../../../../src/api/packetcapture/printerColumns.ts'
import { captureTable } from '../../../../src/kubectl/format/captureTable.ts'

const capture = (namespace: string, name: string) =>
  ({
    metadata: {
      namespace,
      name,
      uid: name,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec: {},
  }) as ShownCapture
const nowMs = Date.parse('2026-01-01T00:05:00Z')

test('captureTable() has a row for each capture below the columns of kubectl', t => {
  const [head = '', ...rows] = captureTable(
    [capture('shop', 'web'), capture('shop', 'dns')],
    {},
    nowMs,
  )
    .trimEnd()
    .split('\n')
  t.regex(head, /^NAME +.*STATE.*AGE$/)
  t.deepEqual(
    rows.map(row => [row.split(' ')[0], row.endsWith('5m')]),
    [
      ['web', true],
      ['dns', true],
    ],
  )
})

test('captureTable() begins with the namespace when captures of all are listed', t => {
  const [head = '', row = ''] = captureTable(
    [capture('shop', 'web')],
    { allNamespaces: true },
    nowMs,
  ).split('\n')
  t.regex(head, /^NAMESPACE +NAME /)
  t.regex(row, /^shop +web /)
})

test('captureTable() has more columns when it is wide', t => {
  const width = (output: 'wide' | undefined) =>
    captureTable([capture('shop', 'web')], { ...(output && { output }) }, nowMs).split('\n')[0]
      ?.length ?? 0
  t.true(width('wide') > width(undefined))
})
