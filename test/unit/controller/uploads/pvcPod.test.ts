// The pod that writes into a claim, for each kind of capture: what it runs, whose it is, what it
// mounts.
import test from 'ava'
import { pvcPod } from '../../../../src/controller/uploads/pvcPod.ts'

const capture = { namespace: 'shop', name: 'web', uid: '6d2e9c1e-0000-4000-8000-000000000000' }
const common = { claim: 'pcaps', folder: 'shop/web/20261121T000000Z', image: 'selcap:1' }

for (const [api, apiVersion, word] of [
  ['PacketCapture', 'projectcalico.org/v3', 'packetcapture'],
  ['Capture', 'retina.sh/v1alpha1', 'retina'],
] as const) {
  test(`pvcPod() copies the files of a ${api} and goes with it`, t => {
    const pod = pvcPod({ ...common, capture: { api, ...capture }, apiVersion })
    const command = [
      'selcap',
      'download',
      'web',
      '--api',
      word,
      '--namespace',
      'shop',
      '--dest',
      '/claim/shop/web/20261121T000000Z',
      '--proof',
      '/dev/termination-log',
    ]
    t.like(pod, {
      metadata: { name: `selcap-claim-${capture.uid}`, namespace: 'shop' },
      spec: { serviceAccountName: 'selcap-claim', containers: [{ image: 'selcap:1', command }] },
    })
    const { metadata, spec } = JSON.parse(JSON.stringify(pod)) as {
      metadata: { ownerReferences: object[] }
      spec: { volumes: object[] }
    }
    t.deepEqual(metadata.ownerReferences, [
      { apiVersion, kind: api, name: 'web', uid: capture.uid },
    ])
    t.deepEqual(spec.volumes, [{ name: 'claim', persistentVolumeClaim: { claimName: 'pcaps' } }])
  })
}
