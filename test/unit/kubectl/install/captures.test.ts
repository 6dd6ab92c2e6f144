import test from 'ava'
import { findCaptures, removeCaptures } from '../../../../src/kubectl/install/captures.ts'
import { fakeServer } from '../../../support/fakeServer.ts'

const definition = (group: string, plural: string, version: string) => ({
  spec: { group, names: { plural }, versions: [{ name: version }] },
})
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const own = '/apis/projectcalico.org/v3'
const reports = '/apis/selcap.dev/v1alpha1/nodecapturereports'
const one = `${own}/namespaces/shop/packetcaptures/a`

test('findCaptures() lists those of our definitions, and removeCaptures() waits for the reports', async t => {
  const { kube, asked } = fakeServer({
    [crds]: {
      items: [
        definition('projectcalico.org', 'packetcaptures', 'v3'),
        definition('selcap.dev', 'nodecapturereports', 'v1alpha1'),
      ],
    },
    [`${own}/packetcaptures`]: { items: [{ metadata: { name: 'a', namespace: 'shop' } }] },
    [reports]: { items: [{ report: { captures: [] } }, {}] },
    [one]: {},
  })
  const captures = await findCaptures(kube)
  t.deepEqual(captures, [{ namespace: 'shop', path: one }])
  const told: string[] = []
  await removeCaptures(kube, captures, 1, line => told.push(line))
  t.deepEqual(told, ['1 captures deleted'])
  t.deepEqual(asked.slice(-2), [`DELETE ${one}`, `GET ${reports}`])
})
