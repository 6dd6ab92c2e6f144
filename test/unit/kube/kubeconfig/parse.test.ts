import test from 'ava'
import { parseKubeconfig } from '../../../../src/kube/kubeconfig/parse.ts'

const parse = (text: string) => parseKubeconfig(text, '/home/me/.kube/config')

test('paths are relative to the file, a command without a slash is not', t => {
  const { clusters, users } = parse(`
clusters: [{name: a, cluster: {server: https://a, certificate-authority: ca.crt}}]
users:
- name: a
  user: {client-certificate: ../a.crt, client-key: /k, tokenFile: t, exec: {command: bin/login, apiVersion: v}}
- name: b
  user: {exec: {command: login, apiVersion: v}}
`)
  t.is(clusters.get('a')?.certificateAuthority, '/home/me/.kube/ca.crt')
  const { clientCertificate, clientKey, tokenFile, exec, file } = users.get('a') ?? {}
  t.deepEqual(
    [clientCertificate, clientKey, tokenFile, exec?.command, file],
    [
      '/home/me/a.crt',
      '/k',
      '/home/me/.kube/t',
      '/home/me/.kube/bin/login',
      '/home/me/.kube/config',
    ],
  )
  t.is(users.get('b')?.exec?.command, 'login')
})

test('what is not set is not there, and the words of YAML 1.1 are booleans', t => {
  const { clusters, currentContext } = parse(`
clusters:
- {name: a, cluster: {server: '', insecure-skip-tls-verify: yes}}
- {name: b, cluster: {insecure-skip-tls-verify: false}}
- {name: c}
`)
  t.deepEqual([...clusters.values()], [{ insecureSkipTlsVerify: true }, {}, {}])
  t.is(currentContext, '')
})

for (const [text, problem] of [
  ['kind: Pod', /expected kind Config of v1, found Pod of none/],
  ['clusters: [{name: a}, {name: a}]', /clusters has the name "a" twice/],
  ['clusters: {a: b}', /clusters: expected a list/],
  ['users: [{name: 7}]', /name: expected a text, found 7/],
  ['users: [{name: a, user: [b]}]', /user: expected fields/],
  ['clusters: [{name: a, cluster: {insecure-skip-tls-verify: maybe}}]', /expected true or false/],
  ['{', /./],
] as const)
  test(`refuses ${text}`, t => void t.throws(() => parse(text), { message: problem }))
