import test from 'ava'
import { removeDaemonSet } from '../../../../src/kubectl/install/removeDaemonSet.ts'
import { fakeServer } from '../../../support/fakeServer.ts'

const own = { name: 'a', namespace: 'n' }
const object = '/apis/apps/v1/namespaces/n/daemonsets/a'
const wait = { seconds: 1, nowMs: () => Date.parse('2026-01-01T00:10:00Z') }
const pods = '/api/v1/namespaces/n/pods'

test('removeDaemonSet() waits until none of its pods runs', async t => {
  const { kube, asked } = fakeServer({ [object]: {}, [pods]: { items: [] } })
  await removeDaemonSet(kube, own, wait)
  t.deepEqual(asked, [`DELETE ${object}`, `GET ${pods}`])
})

test('removeDaemonSet() says which pods still run when the time is over', async t => {
  const { kube } = fakeServer({ [pods]: { items: [{ metadata: {} }] } }) // the DaemonSet is gone already
  await t.throwsAsync(removeDaemonSet(kube, own, { ...wait, seconds: 0 }), {
    message: /no pod of a runs/,
  })
})

test('removeDaemonSet() does not wait for a pod that was to have ended a minute ago', async t => {
  const podOf = (deletionTimestamp: string) => ({ metadata: { deletionTimestamp } })
  const { kube } = fakeServer({ [pods]: { items: [podOf('2026-01-01T00:08:00Z')] } })
  await t.notThrowsAsync(removeDaemonSet(kube, own, wait))
  const late = fakeServer({ [pods]: { items: [podOf('2026-01-01T00:09:30Z')] } })
  await t.throwsAsync(removeDaemonSet(late.kube, own, { ...wait, seconds: 0 }))
})
