import test from 'ava'
import { impersonationHeaders } from '../../../../src/kube/kubeconfig/headers.ts'

test('a user alone is one header', t =>
  t.deepEqual(impersonationHeaders({ user: 'bob', groups: [], extra: {} }), {
    'impersonate-user': 'bob',
  }))

test('groups and extras are headers that come again, a key is escaped, the prefix is given', t =>
  t.deepEqual(
    impersonationHeaders(
      { user: 'bob', uid: '7', groups: ['a,b', 'c'], extra: { 'x.io/team ä': ['1', '2'], no: [] } },
      'x-selcap-impersonate',
    ),
    {
      'x-selcap-impersonate-user': 'bob',
      'x-selcap-impersonate-uid': '7',
      'x-selcap-impersonate-group': ['a,b', 'c'],
      'x-selcap-impersonate-extra-x.io%2Fteam%20%C3%A4': ['1', '2'],
    },
  ))
