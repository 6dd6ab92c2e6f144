// What is put on top of the base, together: each two components and all of them build, in whatever
// order they are listed, and come to the same. The documents' own kustomization.yaml, which have one
// component and all of them, apply to a real API server.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { startApiServer } from '../../support/kube/apiServer.ts'
import { systemNamespace } from '../../support/kube/installManifests.ts'
import { askKubectl } from '../../support/kube/kubectl.ts'
import { blocksOf, sectionOf } from '../../support/markdown.ts'
import type { Scope } from '../../support/net/namespace.ts'
import { read, root } from '../../support/repository.ts'
import { makeAuthority } from '../../support/stores/authority.ts'

type Named = { readonly name: string; readonly value?: string }
type Container = {
  readonly command: string[]
  readonly image: string
  readonly env: Named[]
  readonly volumeMounts: { mountPath: string }[]
}
type Document = {
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly rules?: readonly { readonly apiGroups: readonly string[] }[]
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly template: {
      readonly spec: {
        readonly containers: [Container]
        readonly volumes: (Named & { configMap?: Named })[]
      }
    }
  }
}

const components = readdirSync(join(root, 'daemonset/components')).toSorted()
// None, each, each with each other, and all: what two do not spoil together, a third does not.
const sets = Array.from({ length: 2 ** components.length }, (_, set) =>
  components.filter((_, index) => set & (1 << index)),
).filter(({ length }) => length <= 2 || length === components.length)

/** A kustomization.yaml as somebody has it in a checkout, here in a directory beside it. */
function layOut(scope: Scope, text: string, files: Readonly<Record<string, string>> = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'selcap-kustomization-'))
  scope.teardown(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(
    join(directory, 'kustomization.yaml'),
    text.replaceAll(/\bdaemonset\//g, `${relative(directory, root)}/daemonset/`),
  )
  for (const [name, from] of Object.entries(files))
    writeFileSync(join(directory, name), readFileSync(from))
  return directory
}

async function build(directory: string): Promise<Document[]> {
  const { code, out, err } = await askKubectl(
    { kubeconfig: '/dev/null', home: directory, within: [] },
    ['kustomize', directory],
  )
  if (code !== 0 || err !== '')
    throw new Error(`Cannot build ${readFileSync(join(directory, 'kustomization.yaml'))}: ${err}`)
  return parseAllDocuments(out).map(document => document.toJS())
}

function find(documents: readonly Document[], kind: string, name: string): Document {
  const found = documents.find(each => each.kind === kind && each.metadata.name === name)
  if (!found) throw new Error(`Cannot find ${kind} ${name}`)
  return found
}

/** Lists in whatever order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, sorted(inner)]))
}

const programs = [
  ['DaemonSet', 'selcap-agent', ['packetcaptureconfig', 'retina']],
  ['Deployment', 'selcap-controller', ['packetcaptureconfig', 'retina']],
  ['Deployment', 'selcap-gateway', ['packetcaptureconfig', 'retina']],
] as const

for (const set of sets) {
  test.serial(`the base and ${set.join(', ') || 'nothing'} build, in either order`, async t => {
    const text = (listed: readonly string[]) =>
      `resources: [daemonset/base]\ncomponents: [${listed.map(name => `daemonset/components/${name}`).join(', ')}]\n`
    const documents = await build(layOut(t, text(set)))
    if (set.length > 1)
      t.deepEqual(sorted(await build(layOut(t, text(set.toReversed())))), sorted(documents))
    for (const [kind, name, apis] of programs) {
      const { containers, volumes = [] } =
        find(documents, kind, name).spec?.template.spec ?? t.fail()
      const [{ command, env, volumeMounts }] = containers
      const served = command.filter(word => word.startsWith('--apis='))
      t.deepEqual(
        served.toSorted(),
        apis.filter(api => set.includes(api)).map(api => `--apis=${api}`),
      )
      for (const names of [
        env.map(each => each.name),
        volumes.map(each => each.name),
        volumeMounts.map(each => each.mountPath),
      ])
        t.deepEqual(names, [...new Set(names)])
    }
    const agent = find(documents, 'DaemonSet', 'selcap-agent').spec?.template.spec
    t.is(
      agent?.containers[0].volumeMounts.some(({ mountPath }) => mountPath === '/var/run/netns'),
      !set.includes('host-interfaces'),
    )
    if (!set.includes('claims')) return
    const group = set.includes('own-group') ? 'selcap.dev' : 'projectcalico.org'
    t.deepEqual(
      find(documents, 'ClusterRole', 'selcap-claim').rules?.map(({ apiGroups }) => apiGroups),
      [[group], [group], ['retina.sh']],
    )
  })
}

test.serial('an overlay is the base and the component of its name', async t => {
  for (const name of readdirSync(join(root, 'daemonset/overlays')).filter(
    each => each !== 'every-api',
  ))
    t.deepEqual(
      await build(
        layOut(t, `resources: [daemonset/base]\ncomponents: [daemonset/components/${name}]\n`),
      ),
      await build(layOut(t, `resources: [daemonset/overlays/${name}]\n`)),
    )
})

const manifestIn = (text: string) =>
  blocksOf(text).find(({ language }) => language === 'yaml')?.text ?? ''
for (const [where, text] of [
  ['docs/operations.md', sectionOf(read('docs/operations.md'), 'Uploads')],
  ['daemonset/README.md', read('daemonset/README.md')],
] as const) {
  test.serial(
    `the kustomization.yaml of ${where} applies, and the controller finds the authority that it brings`,
    async t => {
      const authority = await makeAuthority(t)
      const manifest = manifestIn(text)
        .replaceAll(/\bNAME\b/g, 'registry.example.org/selcap')
        .replaceAll(/\bTAG\b/g, '1.2.3')
      t.regex(manifest, /components:/)
      const directory = layOut(t, manifest, { 'authority.pem': authority.file })
      await using api = await startApiServer()
      await api.kubectl('apply', '-k', directory)
      t.like(await api.ask(['apply', '-k', directory, '--dry-run=server', '--validate=strict']), {
        code: 0,
        err: '',
      })
      t.deepEqual(await api.ask(['diff', '-k', directory]), { code: 0, out: '', err: '' })
      const get = async (kind: string, name: string): Promise<Document> =>
        JSON.parse(await api.kubectl('get', kind, name, '-n', systemNamespace, '-o', 'json'))
      const { containers, volumes } =
        (await get('deployment', 'selcap-controller')).spec?.template.spec ?? t.fail()
      const [{ env, image, volumeMounts }] = containers
      const path = env.find(({ name }) => name === 'NODE_EXTRA_CA_CERTS')?.value ?? ''
      t.true(volumeMounts.some(({ mountPath }) => path === `${mountPath}/ca.crt`))
      const { name = '' } = volumes.find(each => each.name === 'store-authority')?.configMap ?? {}
      t.deepEqual((await get('configmap', name)).data, {
        'ca.crt': readFileSync(authority.file, 'utf8'),
      })
      const claimImage = env.find(each => each.name === 'CLAIM_IMAGE')?.value
      t.true(claimImage === undefined || claimImage === image, `${claimImage}, not ${image}`)
    },
  )
}
