import test from 'ava'
import type { ShownCapture } from '../../../../src/api/packetcapture/printerColumns.ts'
import { liveTable, progressOf } from '../../../../src/kubectl/format/liveTable.ts'

const nowMs = Date.parse('2026-11-21T12:00:00Z')

function capture(spec: ShownCapture['spec'], counts = { packets: 50, bytes: 2_000 }): ShownCapture {
  const status = {
    state: 'Capturing',
    endpoints: 2,
    nodes: 2,
    dropped: 0,
    conditions: [],
    observedGeneration: 1,
    ...counts,
  } as const
  const files = [
    {
      ...counts,
      dropped: 0,
      node: 'a',
      directory: '/',
      fileNames: [],
      state: 'Capturing',
      endpoints: [],
    } as const,
  ]
  const metadata = {
    name: 'web',
    namespace: 'shop',
    uid: '1',
    generation: 1,
    creationTimestamp: '2026-11-21T11:50:00Z',
  }
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'PacketCapture',
    metadata,
    spec,
    status: { ...status, files },
  }
}

for (const [what, spec, expected] of [
  ['packets', { limits: { packets: 200 } }, { share: 0.25, towards: '50 of 200 packets' }],
  ['bytes', { limits: { bytes: 4_000 } }, { share: 0.5, towards: '2.0 kB of 4.0 kB' }],
  ['its end', { endTime: '2026-11-21T12:10:00Z' }, { share: 0.5, towards: '10m left' }],
  [
    'whatever is nearest',
    { limits: { packets: 55 }, endTime: '2026-11-21T12:10:00Z' },
    { share: 50 / 55, towards: '50 of 55 packets' },
  ],
  ['no more than all', { limits: { packets: 10 } }, { share: 1, towards: '50 of 10 packets' }],
  ['nothing', {}, undefined],
] as const) {
  test(`progressOf() goes towards ${what}`, t =>
    t.deepEqual(progressOf(capture(spec), nowMs), expected))
}

test('liveTable() shrinks the bar, then leaves it out, and never fills the terminal', t => {
  const wide = liveTable([capture({ limits: { packets: 200 } })], nowMs, 120)
  t.regex(
    wide,
    /^NAME {3}STATE {7}PODS {3}PACKETS {3}BYTES {4}DROPPED {3}PROGRESS\nweb .* 50 of 200 packets \[#{5}-{15}\]\n$/,
  )
  t.regex(
    liveTable([capture({ limits: { packets: 200 } })], nowMs, 85),
    /50 of 200 packets \[#+-+\]\n$/,
  )
  t.regex(liveTable([capture({ limits: { packets: 200 } })], nowMs, 80), /50 of 200 packets\n$/)
  for (const columns of [20, 40, 60, 85, 120])
    for (const line of liveTable([capture({ limits: { packets: 200 } })], nowMs, columns).split(
      '\n',
    ))
      t.true(line.length < columns)
})
