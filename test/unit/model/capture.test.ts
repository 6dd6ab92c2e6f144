// Keys of captures: those of different kinds never meet, whatever their names.
import test from 'ava'
import { captureKey } from '../../../src/model/captureRef.ts'

test('captureKey() keeps kinds, namespaces and names apart', t => {
  const keys = (['PacketCapture', 'Capture', 'PacketCaptureConfig'] as const).map(api =>
    captureKey({ api, namespace: 'shop', name: 'web' }),
  )
  t.deepEqual(keys, ['shop/web', 'shop.retina.sh/web', 'networking.packet.io/web'])
})
