// Each right opens its own door and no other: files, removal and stream, in one namespace, for one
// capture where RBAC names one. And nobody gets in by a header, a method or an address that is made
// up. API server, agent and gateway are real.
import test, { type ExecutionContext } from 'ava'
import { Agent, resigned } from '../../../support/kube/agentFixture.ts'
import { filesPath, zipPath } from '../../../support/kube/gatewayFixture.ts'
import { useInstalled } from '../../../support/kube/installManifests.ts'
import { LocalGateway, makeCapture } from '../../../support/kube/localGateway.ts'
import { until } from '../../../support/until.ts'

const server = useInstalled()
const name = 'web-0_cali1.pcap'
const doors = {
  list: ['GET', filesPath],
  file: ['GET', `${filesPath}/node-1/${name}`],
  head: ['HEAD', `${filesPath}/node-1/${name}`],
  zip: ['GET', zipPath],
  stream: ['HEAD', filesPath.replace(/files$/, 'stream')],
  clean: ['DELETE', zipPath.replace('/download/', '/files/')],
} as const
type Door = keyof typeof doors

async function onStage(t: ExecutionContext): Promise<LocalGateway> {
  const agent = await Agent.start(t, server(), { uid: await makeCapture(server()) })
  agent.write(name, 'packets')
  return LocalGateway.start(t, server(), { agent })
}

type Rule = {
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

/** A token of an account in shop that has these rights in that namespace. */
async function tokenWith(
  account: string,
  rules: readonly Rule[],
  namespace = 'shop',
): Promise<string> {
  const meta = { name: account, namespace }
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: meta }
  await server().apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: 'shop' } },
    {
      ...rbac,
      kind: 'Role',
      rules: rules.map(rule => ({ apiGroups: ['projectcalico.org'], ...rule })),
    },
    {
      ...rbac,
      kind: 'RoleBinding',
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: account },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: 'shop' }],
    },
  )
  return (await server().api.kubectl('create', 'token', account, '-n', 'shop')).trim()
}

const [files, stream] = [['packetcaptures/files'], ['packetcaptures/stream']]
const rows: readonly (readonly [
  account: string,
  rules: readonly Rule[],
  open: readonly Door[],
  namespace?: string,
])[] = [
  ['reads-files', [{ resources: files, verbs: ['get'] }], ['list', 'file', 'head', 'zip']],
  ['removes-files', [{ resources: files, verbs: ['delete'] }], ['clean']],
  ['streams', [{ resources: stream, verbs: ['get'] }], ['stream']],
  ['makes-captures', [{ resources: ['packetcaptures'], verbs: ['*'] }], []],
  [
    'of-this-capture',
    [{ resources: files, verbs: ['get'], resourceNames: ['web'] }],
    ['list', 'file', 'head', 'zip'],
  ],
  [
    'of-another-capture',
    [{ resources: files, verbs: ['get', 'delete'], resourceNames: ['db'] }],
    [],
  ],
  ['of-another-namespace', [{ resources: [...files, ...stream], verbs: ['*'] }], [], 'default'],
]
for (const [account, rules, open, namespace] of rows) {
  test.serial(
    `who has ${JSON.stringify(rules)}${namespace ? ` in ${namespace}` : ''} gets ${open.join(', ') || 'nothing'}, and is told what else is missing`,
    async t => {
      const gateway = await onStage(t)
      const token = await tokenWith(account, rules, namespace)
      const codeOf = async (door: Door) =>
        (await gateway.ask({ path: doors[door][1], method: doors[door][0], token })).code
      const [first] = open
      if (first) await until('the right', async () => (await codeOf(first)) !== 403)
      for (const [door, [method, path]] of Object.entries(doors)) {
        const { code, text } = await gateway.ask({ path, method, token })
        const expected = !open.includes(door as Door) ? 403 : door === 'clean' ? 409 : 200
        t.is(code, expected, door)
        const [verb, what] = [
          door === 'clean' ? 'delete' : 'get',
          door === 'stream' ? 'stream' : 'files',
        ]
        const refusal = `User "system:serviceaccount:shop:${account}" may not ${verb} packetcaptures/${what} in group "projectcalico.org" in the namespace "shop"\n`
        if (code === 403 && method !== 'HEAD') t.is(text, refusal)
      }
    },
  )
}

test.serial(
  'nobody is somebody else by a header, a query or another way to show a token',
  async t => {
    const gateway = await onStage(t)
    const [path, stranger] = [filesPath, await tokenWith('stranger', [])]
    const good = gateway.token
    for (const [headers, code] of [
      [{ 'impersonate-user': 'system:serviceaccount:shop:dev' }, 403],
      [
        { 'x-remote-user': 'system:serviceaccount:shop:dev', 'x-remote-group': 'system:masters' },
        403,
      ],
      [{ 'x-forwarded-user': 'admin', forwarded: 'for=127.0.0.1' }, 403],
      [{ 'x-http-method-override': 'GET', 'x-original-url': '/healthz' }, 403],
      [{ authorization: `Basic ${Buffer.from(`dev:${good}`).toString('base64')}` }, 401],
      [{ authorization: `Bearer ${good} ${stranger}` }, 401],
      [{ authorization: `Bearer ${'x'.repeat(16_000)}` }, 401], // more is refused before anybody looks: 431
      [{ authorization: '', cookie: `token=${good}` }, 401],
      [{ authorization: 'Bearer ' }, 401],
    ] as const) {
      const { code: found, text } = await gateway.ask({
        path,
        token: stranger,
        headers: { ...headers },
      })
      t.is(found, code, `${JSON.stringify(headers).slice(0, 80)}: ${text}`)
    }
    for (const query of [`?access_token=${good}`, `?token=${good}`, '?user=admin'])
      t.is((await gateway.ask({ path: `${path}${query}`, token: stranger })).code, 403)
    t.is((await gateway.ask({ path })).code, 200)
  },
)

test.serial(
  "a token is nobody's that has expired, is not valid yet, was changed, was made for others, or whose account is gone",
  async t => {
    const gateway = await onStage(t)
    const seconds = Math.floor(Date.now() / 1_000)
    const create = async (...args: string[]) =>
      (await server().api.kubectl('create', 'token', ...args, '-n', 'shop')).trim()
    const again = resigned(server(), gateway.token, {})
    t.is((await gateway.ask({ path: filesPath, token: again })).code, 200) // what is signed anew is as good
    const [head, body, signature] = gateway.token.split('.')
    const claims = JSON.parse(Buffer.from(body ?? '', 'base64url').toString())
    const changed = Buffer.from(
      JSON.stringify({ ...claims, sub: 'system:serviceaccount:shop:admin' }),
    ).toString('base64url')
    const unsigned = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url')
    await server().api.kubectl('create', 'serviceaccount', 'gone', '-n', 'shop')
    const gone = await create('gone')
    await server().api.kubectl('delete', 'serviceaccount', 'gone', '-n', 'shop')
    for (const [what, token] of [
      [
        'expired',
        resigned(server(), gateway.token, {
          iat: seconds - 7_200,
          nbf: seconds - 7_200,
          exp: seconds - 3_600,
        }),
      ],
      [
        'not valid yet',
        resigned(server(), gateway.token, { nbf: seconds + 3_600, exp: seconds + 7_200 }),
      ],
      ['changed', `${head}.${changed}.${signature}`],
      ['unsigned', `${unsigned}.${body}.`],
      ['of another issuer', resigned(server(), gateway.token, { iss: 'https://elsewhere.test' })],
      ['made for others', await create('dev', '--audience=somebody')],
      ['for an agent', await create('dev', '--audience=selcap-agent:node-1')],
      ['of an account that is gone', gone],
    ] as const) {
      const { code, headers } = await gateway.ask({ path: filesPath, token })
      t.deepEqual([code, headers['www-authenticate']], [401, 'Bearer realm="selcap"'], what)
    }
  },
)

test.serial('other methods, and paths that only look like ours, lead nowhere', async t => {
  const gateway = await onStage(t)
  const file = `${filesPath}/node-1/${name}`
  for (const [method, path] of [
    ['POST', file],
    ['PUT', file],
    ['PATCH', file],
    ['DELETE', file],
    ['DELETE', filesPath],
    ['GET', doors.clean[1]],
    ['POST', doors.clean[1]],
    ['TRACE', file],
    ['OPTIONS', file],
    ['GET', `/${filesPath}`],
    ['GET', `${filesPath}/`],
    ['GET', `${filesPath}/node-1`],
    ['GET', `${file}/`],
    ['GET', `/v1/namespaces/shop/packetcaptures/web/../web/files`],
    ['GET', '/v1/captures/shop/web/uid/files'],
    ['GET', '/metrics'],
    ['GET', '/debug/pprof'],
    ['GET', '//evil.test/v1'],
  ] as const) {
    const { code, text } = await gateway.ask({ method, path })
    t.true([400, 404].includes(code), `${method} ${path}: ${code} ${text}`)
    t.notRegex(text, /packets/)
  }
})
