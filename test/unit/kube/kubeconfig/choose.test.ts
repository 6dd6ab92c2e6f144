// What differs from client-go would be found by test/integration/kube/kubeconfig; this is what a
// reader wants to know of the rules, and what needs no server.
import test from 'ava'
import { type ConnectionFlags, chooseConnection } from '../../../../src/kube/kubeconfig/choose.ts'
import { parseKubeconfig } from '../../../../src/kube/kubeconfig/parse.ts'

const text = `
current-context: here
contexts:
- {name: here, context: {cluster: a, user: me, namespace: shop}}
- {name: bare, context: {cluster: a, user: me}}
clusters: [{name: a, cluster: {server: 'https://a.test/', tls-server-name: b.test, certificate-authority: /ca}}]
users: [{name: me, user: {token: one, as: other, as-user-extra: {team: [x], room: [y]}}}]
`
const choose = (flags: ConnectionFlags, env: NodeJS.ProcessEnv = {}, config = text) =>
  chooseConnection(parseKubeconfig(config, '/f'), flags, env)

test('a flag goes before the kubeconfig, and one that is not given leaves it as it is', t => {
  const { cluster, user, namespace, requestTimeoutMs, isDefault } = choose({})
  t.deepEqual(cluster, { server: 'https://a.test', tlsServerName: 'b.test', certificateAuthority: '/ca' }) // biome-ignore format: one line
  t.deepEqual([user.token, user.as, namespace, requestTimeoutMs, isDefault], ['one', 'other', 'shop', 0, false]) // biome-ignore format: one line
  const flags = { server: 'https://c.test', token: 'two', asUserExtra: ['team=z', 'none'], namespace: 'n' } // biome-ignore format: one line
  const given = choose(flags)
  t.deepEqual(given.cluster, { server: 'https://c.test', certificateAuthority: '/ca' })
  t.deepEqual([given.user.token, given.namespace], ['two', 'n'])
  t.deepEqual(given.user.asUserExtra, { team: ['z'], room: ['y'] })
})

test('a server that nothing names is on this machine, or $KUBERNETES_MASTER', t => {
  t.like(choose({}, {}, ''), { cluster: { server: 'http://localhost:8080' }, namespace: 'default', isDefault: true }) // biome-ignore format: one line
  const master = { KUBERNETES_MASTER: 'http://master.test' }
  t.is(choose({}, master, '').cluster.server, 'http://master.test')
  t.is(choose({}, master).cluster.server, 'https://a.test')
  t.true(choose({ context: 'bare' }).hasNamespace === false)
})

for (const [
  given,
  expected,
] of [['0', 0], ['7', 7_000], ['1m30s', 90_000], ['1.5s', 1_500], ['200ms', 200], ['1h', 3_600_000]] as const) // biome-ignore format: one line
  test(`--request-timeout ${given}`, t =>
    t.is(choose({ requestTimeout: given }).requestTimeoutMs, expected))

for (const [flags, problem] of [
  [{ requestTimeout: '1 day' }, /--request-timeout "1 day" is no duration/],
  [{ context: 'x' }, /the context "x" does not exist: expected one of here, bare$/],
  [{ cluster: 'x' }, /the cluster "x" does not exist: expected one of a$/],
  [{ user: 'x' }, /the user "x" does not exist: expected one of me$/],
  [{ server: 'ftp://x' }, /the server "ftp:\/\/x" is no address/],
  [{ clientCertificate: '/x' }, /the client certificate of the user "me" has no client-key/],
] as const)
  test(`refuses ${JSON.stringify(flags)}`, t => {
    const error = t.throws(() => choose(flags))
    t.regex(error?.message ?? '', problem)
  })
