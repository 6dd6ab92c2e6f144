// selcap validate on PacketCaptureConfigs: what an API server and the agents would say of them,
// before they are applied.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import test from 'ava'
import { root } from '../../support/repository.ts'

function validate(...specs: readonly object[]) {
  const head = {
    apiVersion: 'networking.packet.io/v1',
    kind: 'PacketCaptureConfig',
    metadata: { name: 'a' },
  }
  const input = specs.map(spec => JSON.stringify({ ...head, spec })).join('\n---\n')
  return spawnSync(join(root, 'bin', 'selcap'), ['validate', '-'], {
    input,
    encoding: 'utf8',
    cwd: root,
  })
}

test('selcap validate shows what a PacketCaptureConfig compiles to', t => {
  const { status, stdout, stderr } = validate({
    targetIPs: ['10.0.0.1', 'fd00::/64'],
    targetPorts: [80],
    filter: 'tcp',
  })
  t.deepEqual([status, stderr], [0, ''])
  t.regex(
    stdout,
    /PacketCaptureConfig networking\.packet\.io\/a[\s\S]*\(host 10\.0\.0\.1 or net fd00:[0:]+\/64\) and \(port 80\) and \(tcp\)/,
  )
})

test('selcap validate takes the four samples', t => {
  const file = join(root, 'test', 'fixtures', 'packetcaptureconfig-samples.yaml')
  t.like(
    spawnSync(join(root, 'bin', 'selcap'), ['validate', file], { encoding: 'utf8', cwd: root }),
    { status: 0, stderr: '' },
  )
})

for (const [spec, words] of [
  [{}, /expected targetIPs with at least one address, podSelector, or both/],
  [
    { targetIPs: ['999.1.1.1'] },
    /spec\.targetIPs\[0\]: found "999\.1\.1\.1", expected an IPv4 or IPv6 address/,
  ],
  [{ targetIPs: ['10.0.0.1'], maxPacket: 5 }, /maxPacket.*maxPackets/],
  [{ targetIPs: ['10.0.0.1'], targetPorts: [0] }, /targetPorts/],
  [{ targetIPs: ['10.0.0.1'], filter: 'tcp and and' }, /syntax error/],
  [
    { targetIPs: ['10.0.0.1'], filter: 'host example.com' },
    /spec\.filter: found the name "example\.com"/,
  ],
] as const) {
  test(`selcap validate refuses ${JSON.stringify(spec)}`, t => {
    const { status, stderr } = validate(spec)
    t.is(status, 1)
    t.regex(stderr, words)
  })
}
