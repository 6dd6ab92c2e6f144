import test from 'ava'
import { removeDaemonSet } from '../../../../src/kubectl/install/removeDaemonSet.ts'
import { fakeServer } from '../../../support/fakeServer.ts'

const own = { name: 'a', namespace: 'n' }
const object = '/apis/apps/v1/namespaces/n/daemonsets/a'
const pods = '/api/v1/namespaces/n/pods'

test('removeDaemonSet() waits until none of its pods runs', async t => {
  const { kube, asked } = fakeServer({ [object]: {}, [pods]: { items: [] } })
  await removeDaemonSet(kube, own, 1)
  t.deepEqual(asked, [`DELETE ${object}`, `GET ${pods}`])
})

test('removeDaemonSet() says which pods still run when the time is over', async t => {
  const { kube } = fakeServer({ [pods]: { items: [{}] } }) // the DaemonSet is gone already
  await t.throwsAsync(removeDaemonSet(kube, own, 0), { message: /no pod of a runs/ })
})
