import test from 'ava'
import { ownedBy, uninstallJob } from '../../../../src/kubectl/install/throwAway.ts'

test('ownedBy() gives what has no namespace to the Namespace', t => {
  const owner = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n', uid: 'u' } }
  const role = { apiVersion: 'rbac/v1', kind: 'ClusterRole', metadata: { name: 'r' } }
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 's', namespace: 'n' } } // biome-ignore format: one line
  const ownerReferences = [{ apiVersion: 'v1', kind: 'Namespace', name: 'n', uid: 'u' }]
  t.deepEqual(ownedBy(owner, [role, account]), [
    { ...role, metadata: { name: 'r', ownerReferences } },
    account,
  ])
})

test('uninstallJob() may delete no namespace but its own, and reads no Secret', t => {
  const objects = uninstallJob('captures', 'selcap:1', '2026-01-02T03:04:05Z')
  const rules = objects.flatMap(({ rules = [] }) => rules as Rule[])
  const on = (resource: string) => rules.filter(({ resources }) => resources.includes(resource))
  t.deepEqual(
    on('namespaces').map(({ resourceNames, verbs }) => [resourceNames, verbs]),
    [[['captures'], ['get', 'delete']]],
  )
  t.deepEqual(on('secrets'), [])
  t.false(JSON.stringify(rules).includes('"*"'))
})

type Rule = {
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}
