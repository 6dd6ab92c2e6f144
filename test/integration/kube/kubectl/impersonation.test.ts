// Who acts as another user has what that user may have from the gateway too, no more and no less;
// and behind a proxy that stands for its users the plugin finds a way, or says what to do.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exitCodes } from '../../../../src/model/codes.ts'
import { startChild } from '../../../support/kube/child.ts'
import { addGateway, makeStage, type Stage, untilState } from '../../../support/kube/pluginFixture.ts' // biome-ignore format: one line
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { shared } from '../../../support/shared.ts'

const { cluster, clusterTest } = useSimulated()
const rbac = 'rbac.authorization.k8s.io'
const dev = 'system:serviceaccount:shop:dev'

const onStage = shared(async (): Promise<Stage> => {
  const stage = await makeStage(cluster())
  await addGateway(cluster())
  const { code, err } = await stage.pcap('create', 'web', '-l', 'app == "web"', '--wait')
  if (code !== 0) throw new Error(err)
  const [pod] = stage.pods
  await pod?.sender.udp({ to: pod.hostAddress, port: 9, count: 5 })
  await untilState(stage, 'web', ({ status }) => (status?.packets ?? 0) >= 5)
  return stage
})

const download = (name: string, ...args: string[]) =>
  cluster().api.ask(['pcap', 'download', 'web', '-n', 'shop', '--dest', join(cluster().directory, name), ...args]) // biome-ignore format: one line

clusterTest(
  'an administrator who acts as a stranger gets no files, and as the developer does',
  async t => {
    await onStage()
    await cluster().api.kubectl('create', 'serviceaccount', 'stranger', '-n', 'shop')
    await cluster().api.kubectl('create', 'rolebinding', 'stranger', '-n', 'shop', '--clusterrole=selcap-view', '--serviceaccount=shop:stranger') // biome-ignore format: one line
    const stranger = await download('stranger', '--as', 'system:serviceaccount:shop:stranger')
    t.is(stranger.code, exitCodes.notAllowed, stranger.err)
    t.regex(stranger.err, /User "system:serviceaccount:shop:stranger" may not get packetcaptures\/files/) // biome-ignore format: one line
    const developer = await download('developer', '--as', dev)
    t.is(developer.code, 0, developer.err)
    const events = await cluster().api.kubectl('get', 'events', '-n', 'shop', '-o', 'jsonpath={.items[*].message}') // biome-ignore format: one line
    t.regex(events, /admin as system:serviceaccount:shop:dev had /)
  },
)

clusterTest(
  'who may act as the developer and nothing else has the files by that, and without the right not',
  async t => {
    const { userKubeconfig } = await onStage()
    await cluster().api.kubectl('create', 'serviceaccount', 'weak', '-n', 'shop')
    const token = (await cluster().api.kubectl('create', 'token', 'weak', '-n', 'shop')).trim()
    const config = JSON.parse(readFileSync(userKubeconfig, 'utf8'))
    const file = join(cluster().directory, 'weak.kubeconfig')
    const users = config.users.map(({ name }: { name: string }) => ({
      name,
      user: { token, as: dev },
    }))
    writeFileSync(file, JSON.stringify({ ...config, users }))
    const before = await download('weak', '--kubeconfig', file)
    t.is(before.code, exitCodes.notAllowed, before.err)
    t.regex(before.err, /"system:serviceaccount:shop:weak".*impersonate/)
    const meta = { name: 'sudo', namespace: 'shop' }
    const rule = { apiGroups: [''], resources: ['serviceaccounts'], resourceNames: ['dev'], verbs: ['impersonate'] } // biome-ignore format: one line
    await cluster().apply(
      { apiVersion: `${rbac}/v1`, kind: 'Role', metadata: meta, rules: [rule] },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: meta,
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'sudo' },
        subjects: [{ kind: 'ServiceAccount', name: 'weak', namespace: 'shop' }],
      },
    )
    const after = await download('weak', '--kubeconfig', file)
    t.is(after.code, 0, after.err)
  },
)

clusterTest(
  'behind a proxy that stands for its users, it is told what to do, and a labelled account does it',
  async t => {
    await onStage()
    const own = 'kubeconfig-user-abc:xyz'
    const { api, networkPath, directory } = cluster()
    await cluster().apply(
      {
        apiVersion: `${rbac}/v1`,
        kind: 'Role',
        metadata: { name: 'make-tokens', namespace: 'shop' },
        rules: [
          { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get', 'list'] },
          { apiGroups: [''], resources: ['serviceaccounts/token'], resourceNames: ['captures'], verbs: ['create'] }, // biome-ignore format: one line
        ],
      },
      ...['selcap-edit', 'make-tokens'].map(name => ({
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name: `proxied-${name}`, namespace: 'shop' },
        roleRef: { apiGroup: rbac, kind: name === 'make-tokens' ? 'Role' : 'ClusterRole', name },
        subjects: [{ kind: 'User', name: 'u-abc', apiGroup: rbac }],
      })),
    )
    const program = join(import.meta.dirname, '../../../support/kube/authProxy.ts')
    const key = api.caFile.replace(/\.crt$/, '.key')
    const args = [api.url, '8453', api.token, own, 'u-abc', api.caFile, key]
    const command = ['nsenter', `--net=${networkPath}`, 'setpriv', '--pdeathsig', 'KILL', '--', process.execPath, program, ...args] // biome-ignore format: one line
    const proxy = startChild('authProxy', command, { logFile: join(directory, 'authProxy.log') })
    t.teardown(() => proxy.stop('SIGKILL'))
    await proxy.ready(() => Promise.resolve(proxy.tail().includes('listening')))
    const file = join(directory, 'proxied.kubeconfig')
    const name = 'proxied'
    const reached = {
      server: api.url.replace(':6443', ':8453'),
      'certificate-authority': api.caFile,
    }
    writeFileSync(
      file,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name, cluster: reached }],
        users: [{ name, user: { token: own } }],
        contexts: [{ name, context: { cluster: name, user: name, namespace: 'shop' } }],
        'current-context': name,
      }),
    )
    const refused = await download('proxied', '--kubeconfig', file)
    t.is(refused.code, exitCodes.notAllowed, refused.err)
    t.regex(refused.err, /^Cannot tell the gateway who is asking: the API server does not know the token .*; the API server knows you as "u-abc", .*; expected --service-account with an account of namespace "shop"/) // biome-ignore format: one line
    await cluster().apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'captures', namespace: 'shop', labels: { 'selcap.dev/for-users': 'true' } } }) // biome-ignore format: one line
    await api.kubectl('create', 'rolebinding', 'captures', '-n', 'shop', '--clusterrole=selcap-files', '--serviceaccount=shop:captures') // biome-ignore format: one line
    const done = await download('proxied', '--kubeconfig', file)
    t.is(done.code, 0, done.err)
    t.regex(done.err, /^The gateway is asked with a token of the service account shop\/captures: /)
  },
)
