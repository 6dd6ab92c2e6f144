// What a gateway lists becomes paths on a user's disk: a gateway that has gone bad must not write
// elsewhere.
import test from 'ava'
import { listRemoteFiles } from '../../../src/kubectl/client/remoteFiles.ts'
import { progressLine } from '../../../src/kubectl/format/progressLine.ts'
import { serveGateway } from '../../support/kube/fakeGateway.ts'

const good = { node: 'node-1', file: 'web-0_cali1.pcap', bytes: 24, active: false }

for (const [node, file] of [
  ['..', good.file],
  ['../etc', good.file],
  ['node/1', good.file],
  ['a..b', good.file],
  ['', good.file],
  ['node-1', '../../.bashrc'],
  ['node-1', '.hidden.pcap'],
  ['node-1', 'a/b.pcap'],
  ['node-1', 'a\\b.pcap'],
  ['node-1', 'a\0b.pcap'],
  ['node-1', 'script.sh'],
  ['node-1', `${'x'.repeat(300)}.pcap`],
  ['node-1', 7],
] as const) {
  test(`listFiles() refuses ${JSON.stringify([node, file]).slice(0, 60)}`, async t => {
    const gateway = await serveGateway(t, (_, response) =>
      response.end(JSON.stringify({ files: [good, { ...good, node, file }], nodes: [] })),
    )
    await t.throwsAsync(listRemoteFiles(gateway, 'shop', 'web'), {
      message: /^Cannot use what the gateway lists: found /,
    })
  })
}

test('listFiles() takes nodes and pods, and tells of nodes that did not answer', async t => {
  const files = [
    good,
    { ...good, node: 'node-2', file: 'web-01_cali2.pcap' },
    { ...good, file: 'web-0_cali1-20261121T120000.000Z.pcap' },
  ]
  const nodes = [{ node: 'node-1' }, { node: 'node-3', error: 'no answer' }]
  const gateway = await serveGateway(t, (_, response) =>
    response.end(JSON.stringify({ files, nodes })),
  )
  t.is((await listRemoteFiles(gateway, 'shop', 'web')).files.length, 3)
  const { files: found } = await listRemoteFiles(gateway, 'shop', 'web', { pod: ['web-0'] })
  t.deepEqual(found, [files[0], files[2]])
  t.deepEqual((await listRemoteFiles(gateway, 'shop', 'web', { node: ['node-2'] })).missing, [])
  t.deepEqual((await listRemoteFiles(gateway, 'shop', 'web')).missing, [
    { node: 'node-3', reason: 'no answer' },
  ])
})

test('progressLine() tells how much, how fast and how long still', t => {
  const readings = [
    { atMs: 1_000, bytes: 0 },
    { atMs: 3_000, bytes: 10_000_000 },
  ]
  t.is(
    progressLine(10_000_000, 40_000_000, readings),
    '[######------------------]  25 %   10 MB of 40 MB   5.0 MB/s   6s left',
  )
  t.is(progressLine(0, 1_000, []), '[------------------------]   0 %   0 B of 1.0 kB')
  t.regex(
    progressLine(1_000_000, 1_000_000_000, [readings[0], { atMs: 2_000, bytes: 100_000 }] as never),
    /100 kB\/s {3}2h46m left$/,
  )
})
