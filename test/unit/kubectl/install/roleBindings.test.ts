import test from 'ava'
import { roleBindingsLeft } from '../../../../src/kubectl/install/roleBindings.ts'
import { fakeServer } from '../../../support/fakeServer.ts'

const root = '/apis/rbac.authorization.k8s.io/v1'
const binding = (name: string, role: string, more: object = {}) => ({
  metadata: { name, uid: name, ...more },
  roleRef: { kind: 'ClusterRole', name: role },
})

test('roleBindingsLeft() tells of bindings of others to roles that go', async t => {
  const { kube } = fakeServer({
    [`${root}/rolebindings`]: {
      items: [
        binding('dev', 'selcap-files', { namespace: 'shop' }),
        binding('viewer', 'view', { namespace: 'shop' }),
      ],
    },
    [`${root}/clusterrolebindings`]: {
      items: [binding('selcap-agent', 'selcap-agent'), binding('ops', 'selcap-files')],
    },
  })
  const object = (kind: string, name: string) => ({ apiVersion: 'v1', kind, metadata: { name, uid: name } }) // biome-ignore format: one line
  const objects = [
    object('ClusterRole', 'selcap-files'),
    object('ClusterRole', 'selcap-agent'),
    object('ClusterRoleBinding', 'selcap-agent'),
  ]
  t.deepEqual(await roleBindingsLeft(kube, objects), [
    'selcap-files is gone, and named still: kubectl delete rolebinding dev -n shop',
    'selcap-files is gone, and named still: kubectl delete clusterrolebinding ops',
  ])
})
