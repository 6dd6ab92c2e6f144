import test from 'ava'
import { kubeconfigFiles, mergeKubeconfigs } from '../../../../src/kube/kubeconfig/load.ts'
import { parseKubeconfig } from '../../../../src/kube/kubeconfig/parse.ts'

test('$KUBECONFIG names files, each once; without it there is the one in the home directory', t => {
  t.deepEqual(kubeconfigFiles({ KUBECONFIG: ':/a::/b:/a:', HOME: '/home/me' }), ['/a', '/b'])
  for (const KUBECONFIG of [undefined, ''])
    t.deepEqual(kubeconfigFiles({ KUBECONFIG, HOME: '/home/me' }), ['/home/me/.kube/config'])
})

test('of each name the first definition counts whole, and the first current context', t => {
  const files = [
    'users: [{name: a, user: {token: one}}]',
    'current-context: here\nusers: [{name: a, user: {as: other}}, {name: b, user: {token: two}}]',
    'current-context: there',
  ]
  const merged = mergeKubeconfigs(files.map(text => parseKubeconfig(text, '/f')))
  t.is(merged.currentContext, 'here')
  t.deepEqual(
    [merged.users.get('a')?.token, merged.users.get('a')?.as, merged.users.get('b')?.token],
    ['one', undefined, 'two'],
  )
})
