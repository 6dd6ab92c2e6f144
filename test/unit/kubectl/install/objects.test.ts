import test from 'ava'
import {
  apply,
  findInstalled,
  imageOf,
  namespaceOf,
  pathOf,
  read,
  remove,
} from '../../../../src/kubectl/install/objects.ts'
import { fakeServer } from '../../../support/fakeServer.ts'

const object = (apiVersion: string, kind: string, namespace?: string) => ({
  apiVersion,
  kind,
  metadata: { name: 'a', ...(namespace && { namespace }) },
})
const account = object('v1', 'ServiceAccount', 'n')

for (const [given, path] of [
  [account, '/api/v1/namespaces/n/serviceaccounts/a'],
  [object('v1', 'Namespace'), '/api/v1/namespaces/a'],
  [object('networking.k8s.io/v1', 'NetworkPolicy', 'n'), '/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/a'], // biome-ignore format: a line a case
  [object('scheduling.k8s.io/v1', 'PriorityClass'), '/apis/scheduling.k8s.io/v1/priorityclasses/a'],
  [object('security.openshift.io/v1', 'SecurityContextConstraints'), '/apis/security.openshift.io/v1/securitycontextconstraints/a'], // biome-ignore format: a line a case
] as const)
  test(`pathOf() is ${path} of a ${given.kind}`, t => t.is(pathOf(given), path))

test('remove() counts what is gone as removed, and apply() refuses with the name of the object', async t => {
  const { kube, asked } = fakeServer({})
  await remove(kube, account)
  t.deepEqual(asked, ['DELETE /api/v1/namespaces/n/serviceaccounts/a'])
  await t.throwsAsync(apply(kube, account), { message: /^Cannot apply serviceaccount\/a: / })
  t.is(await read(kube, '/api/v1/namespaces/a'), undefined)
})

test('findInstalled() has workloads first and the namespace last', async t => {
  const lists = ['/apis/apps/v1/daemonsets', '/api/v1/namespaces'].map(
    path => [path, { items: [{ metadata: { name: path } }] }] as const,
  )
  const asked: string[] = []
  const { kube } = fakeServer(Object.fromEntries(lists))
  const all = await findInstalled(async request => {
    if (request.query) asked.push(request.query.labelSelector ?? '')
    const found = lists.some(([path]) => path === request.path)
    return found ? kube(request) : fakeServer({ [request.path]: { items: null } }).kube(request)
  })
  t.deepEqual(
    all.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`),
    ['apps/v1 DaemonSet', 'v1 Namespace'],
  )
  t.deepEqual([...new Set(asked)], ['app.kubernetes.io/part-of=selcap'])
})

test('findInstalled() does not ask for a kind of a group that is not served', async t => {
  const asked: string[] = []
  const own = '/apis/security.openshift.io/v1'
  await findInstalled(async request => {
    asked.push(request.path)
    const isServed = request.path !== '/apis/monitoring.coreos.com/v1'
    return fakeServer(isServed ? { [request.path]: { items: [] } } : {}).kube(request)
  })
  t.deepEqual(
    asked.filter(path => /openshift|monitoring/.test(path)),
    [
      ...['/apis/monitoring.coreos.com/v1', own], // once for all kinds of a group
      `${own}/securitycontextconstraints`,
    ],
  )
})

test('imageOf() is the first that an object names', t => {
  t.is(imageOf([account, { spec: { image: 'a/b:1' } }, { image: 'c' }]), 'a/b:1')
  t.is(imageOf([]), '')
})

test('namespaceOf() is where the agents are, and no other one', t => {
  const agents = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'selcap-agent', namespace: 'tools' },
  }
  t.is(namespaceOf([agents], undefined), 'tools')
  t.is(namespaceOf([agents], 'tools'), 'tools')
  t.throws(() => namespaceOf([agents], 'shop'), {
    message: /is in the namespace tools, not in shop/,
  })
  const cleaning = { ...agents, metadata: { name: 'selcap-clean', namespace: 'tools' } }
  t.throws(() => namespaceOf([cleaning], 'default'), { message: /in the namespace tools/ })
  const rest = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'left' } }
  t.is(namespaceOf([rest], undefined), 'left')
  t.is(namespaceOf([{ ...rest, kind: 'Namespace', metadata: { name: 'own' } }], undefined), 'own')
  t.is(namespaceOf([], 'shop'), 'shop')
  t.is(namespaceOf([], undefined), 'selcap-system')
})
