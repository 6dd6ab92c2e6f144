import test from 'ava'
import { gatewayFilePath, gatewayPath } from '../../../../src/kubectl/client/gatewayPaths.ts'

for (const [api, expected] of [
  [undefined, '/v1/namespaces/shop/packetcaptures/web/stream'],
  ['PacketCapture', '/v1/namespaces/shop/packetcaptures/web/stream'],
  ['Capture', '/v1/namespaces/shop/captures.retina.sh/web/stream'],
  ['PacketCaptureConfig', '/v1/namespaces/-/packetcaptureconfigs.networking.packet.io/web/stream'],
] as const)
  test(`gatewayPath() is ${expected} for the kind ${api}`, t => {
    t.is(gatewayPath({ namespace: 'shop', name: 'web', api }, 'stream'), expected)
  })

test('gatewayFilePath() escapes the names that a user or the gateway gives', t => {
  const path = gatewayFilePath({ namespace: 'a/b', name: 'c?d' }, { node: 'n#1', file: 'f g.pcap' })
  t.is(path, '/v1/namespaces/a%2Fb/packetcaptures/c%3Fd/files/n%231/f%20g.pcap')
})
