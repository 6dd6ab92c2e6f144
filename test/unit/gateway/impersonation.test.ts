import test from 'ava'
import type { Reviews, Right } from '../../../src/auth/reviews.ts'
import { actingUser, impersonated } from '../../../src/gateway/impersonation.ts'

const sender = { username: 'admin', groups: ['admins'] }
const asked = (allowed: (right: Right) => boolean) => {
  const rights: Right[] = []
  const may = async (_: unknown, right: Right) => {
    rights.push(right)
    return allowed(right)
  }
  return { rights, reviews: { may } as unknown as Reviews }
}

test('the headers name a user with uid, groups and extras, under either name', t => {
  t.is(actingUser({ authorization: ['x'] }), undefined)
  for (const prefix of ['impersonate', 'x-selcap-impersonate'])
    t.deepEqual(
      actingUser({
        [`${prefix}-user`]: ['bob'],
        [`${prefix}-uid`]: ['7'],
        [`${prefix}-group`]: ['a', 'b,c'],
        [`${prefix}-extra-x.io%2Fteam`]: ['1', '2'],
      }),
      { username: 'bob', uid: '7', groups: ['a', 'b,c'], extra: { 'x.io/team': ['1', '2'] } },
    )
})

for (const headers of [
  { 'impersonate-group': ['a'] },
  { 'impersonate-user': ['a', 'b'] },
  { 'impersonate-user': [''] },
  { 'impersonate-user': ['a'], 'x-selcap-impersonate-user': ['b'] },
] as Record<string, string[]>[])
  test(`refuses ${JSON.stringify(headers)}`, t => t.true('refused' in (actingUser(headers) ?? {})))

test('each part takes a right, as at the API server', async t => {
  const { rights, reviews } = asked(() => true)
  const wanted = { username: 'bob', uid: '7', groups: ['a'], extra: { team: ['1'] } }
  const acting = await impersonated(sender, wanted, reviews)
  t.deepEqual(acting, { user: { ...wanted, groups: ['a', 'system:authenticated'] } })
  t.deepEqual(
    rights.map(({ verb, group, resource, subresource, name }) => [verb, group, resource, subresource, name]), // biome-ignore format: one line
    [
      ['impersonate', '', 'users', undefined, 'bob'],
      ['impersonate', '', 'groups', undefined, 'a'],
      ['impersonate', 'authentication.k8s.io', 'uids', undefined, '7'],
      ['impersonate', 'authentication.k8s.io', 'userextras', 'team', '1'],
    ],
  )
})

test('a service account has its own right and groups', async t => {
  const { rights, reviews } = asked(() => true)
  const username = 'system:serviceaccount:shop:dev'
  const acting = await impersonated(sender, { username }, reviews)
  t.like(rights[0], { resource: 'serviceaccounts', namespace: 'shop', name: 'dev' })
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated']
  t.deepEqual(acting, { user: { username, groups } })
})

test('one right that is missing refuses all, and so do too many', async t => {
  const { reviews } = asked(({ resource }) => resource !== 'groups')
  t.deepEqual(
    await impersonated(sender, { username: 'bob', groups: ['system:masters'] }, reviews),
    {
      refused: 'User "admin" may not impersonate groups "system:masters"',
    },
  )
  const { rights, reviews: more } = asked(() => true)
  const groups = Array.from({ length: 100 }, (_, index) => `g${index}`)
  t.true('refused' in (await impersonated(sender, { username: 'bob', groups }, more)))
  t.deepEqual(rights, [])
})
