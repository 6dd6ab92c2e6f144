// Who may name an output: the policy with real users and an API server. An output hands packets on
// and has a Secret read.
import test from 'ava'
import { useInstalled } from '../../support/kube/installManifests.ts'
import { until } from '../../support/until.ts'

const server = useInstalled()
const path = '/apis/projectcalico.org/v3/namespaces/default/packetcaptures'
const capture = (name: string, spec: object): object => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'PacketCapture',
  metadata: { name },
  spec,
})
const s3 = (secretName: string, more: object = {}) => ({
  s3Upload: { bucket: 'captures', region: 'eu-central-1', secretName, ...more },
})
const sftp = (secretName: string) => ({ sftp: { host: 'files.example.org', secretName } })
const create = (as: string, name: string, output: object) =>
  server().asAdmin({ as, path, method: 'POST', body: capture(name, { output }) })
const change = (as: string, name: string, spec: object) =>
  server().asAdmin({
    as,
    path: `${path}/${name}`,
    method: 'PATCH',
    type: 'application/merge-patch+json',
    body: { spec },
  })

const rbac = 'rbac.authorization.k8s.io/v1'
const captures = {
  apiGroups: ['projectcalico.org'],
  resources: ['packetcaptures'],
  verbs: ['get', 'create', 'patch'],
}
const files = {
  apiGroups: ['projectcalico.org'],
  resources: ['packetcaptures/files'],
  verbs: ['get'],
}
const secrets = { apiGroups: [''], resources: ['secrets'], resourceNames: ['ours'], verbs: ['get'] }

/** May make captures everywhere here, and what is named besides. */
async function addUser(name: string, ...rules: readonly object[]): Promise<void> {
  const metadata = { name, namespace: 'default' }
  await server().apply(
    { apiVersion: rbac, kind: 'Role', metadata, rules: [captures, ...rules] },
    {
      apiVersion: rbac,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: [{ kind: 'User', name, apiGroup: 'rbac.authorization.k8s.io' }],
    },
  )
}

test.serial.before(async () => {
  await addUser('maker')
  await addUser('reader', files)
  await addUser('keeper', secrets)
  await addUser('both', files, secrets)
  await until(
    'the rights to be known',
    async () => (await create('both', `known-${Date.now()}`, s3('ours'))).code === 201,
  )
})

for (const [kind, output] of [
  ['s3Upload', s3('ours')],
  ['blobUpload', { blobUpload: 'ours' }],
  ['sftp', sftp('ours')],
] as const) {
  test.serial(`${kind} takes the right to read its Secret and the capture's files`, async t => {
    const name = kind.toLowerCase()
    for (const user of ['maker', 'reader']) {
      const { code, body } = await create(user, name, output)
      t.is(code, 403, user)
      t.regex(
        body.message ?? '',
        /an output that names a Secret takes the right to get that Secret: ours/,
      )
    }
    const refused = await create('keeper', name, output)
    t.is(refused.code, 403)
    t.regex(refused.body.message ?? '', /takes the right to get packetcaptures\/files/)
    t.is((await create('both', name, output)).code, 201)
  })
}

test.serial(
  "a Secret that its user may not read is not named by adding it to another's output",
  async t => {
    t.is((await create('both', 'two', s3('ours'))).code, 201)
    const { code, body } = await change('both', 'two', { output: sftp('theirs') })
    t.is(code, 403)
    t.regex(body.message ?? '', /that Secret: theirs$/)
  },
)

test.serial('persistentVolumeClaim takes the right to create pods', async t => {
  const { code, body } = await create('both', 'claimed', { persistentVolumeClaim: 'pcaps' })
  t.is(code, 403)
  t.regex(body.message ?? '', /naming one takes the right to create pods/)
  await addUser('all', files, { apiGroups: [''], resources: ['pods'], verbs: ['create'] })
  await until(
    'the rights to be known',
    async () => (await create('all', 'claimed', { persistentVolumeClaim: 'pcaps' })).code === 201,
  )
  t.is((await create('all', 'claimed', { persistentVolumeClaim: 'pcaps' })).code, 409)
})

test.serial(
  'who may not read the Secret may change a capture that names it, but not the reference',
  async t => {
    t.is((await create('both', 'shared', s3('ours'))).code, 201)
    t.is((await change('maker', 'shared', { selector: "app == 'web'" })).code, 200)
    t.is((await change('maker', 'shared', { output: s3('ours', { path: 'elsewhere' }) })).code, 403) // whose files would go elsewhere
    t.is(
      (await change('reader', 'shared', { output: s3('ours', { path: 'elsewhere' }) })).code,
      200,
    )
    t.is((await change('reader', 'shared', { output: s3('theirs') })).code, 403)
    t.is((await change('maker', 'shared', { output: null })).code, 200)
    t.is((await change('maker', 'shared', { output: s3('ours') })).code, 403)
  },
)

for (const [what, output, words] of [
  [
    'no bucket',
    { s3Upload: { secretName: 'ours', region: 'a' } },
    /s3Upload\.bucket: Required value/,
  ],
  [
    'neither endpoint nor region',
    { s3Upload: { bucket: 'captures', secretName: 'ours' } },
    /expected an endpoint or a region/,
  ],
  ['a port that is none', { sftp: { host: 'a', secretName: 'ours', port: 70_000 } }, /sftp\.port/],
] as const) {
  test.serial(`an output with ${what} is refused by the schema`, async t => {
    const { code, body } = await create('both', 'wrong', output)
    t.is(code, 422)
    t.regex(body.message ?? '', words)
  })
}
