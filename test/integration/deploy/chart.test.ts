// The Helm chart installs what the kustomizations do: the real Helm and kubectl's kustomize render
// both. On a real API server it is installed, changed, rolled back and uninstalled.
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse, parseAllDocuments } from 'yaml'
import { renderKustomize } from '../../../scripts/chart/kustomize.ts'
import { chartVariants, makeChart } from '../../../scripts/chart.ts'
import { startApiServer } from '../../support/kube/apiServer.ts'
import { askHelm, runHelm } from '../../support/kube/helm.ts'
import { pinned, toolPath } from '../../support/kube/tools.ts'
import { commandsOf } from '../../support/markdown.ts'
import { read, root } from '../../support/repository.ts'

type Manifest = {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
}

const chart = join(root, 'charts', 'selcap')
const installation =
  'helm install selcap charts/selcap --namespace selcap-system --create-namespace --set image.repository=NAME'
const version = ['--kube-version', pinned.kubernetes] // without a server Helm takes an old one
const rendered = ['selcap', chart, ...version]
const namespace = 'selcap-system'
const image = { name: 'registry.example.org/selcap', tag: '1.2.3' }
// How a value switches on what the component of that name brings.
const switches: Readonly<Record<string, string>> = {
  'own-group': 'apiGroup=selcap.dev',
  retina: 'apis.retina=true',
  packetcaptureconfig: 'apis.packetcaptureconfig=true',
  claims: 'claims.enabled=true',
  'store-authority': 'storeAuthority.enabled=true',
  'host-interfaces': 'agent.podNamespaces=false',
  openshift: 'openshift.enabled=true',
  'gke-autopilot': 'gkeAutopilot.enabled=true',
  monitoring: 'monitoring.enabled=true',
}
const components = chartVariants.map(({ component }) => component)
const sets = [
  [],
  ...components.map(component => [component]),
  components,
  components.filter(component => component !== 'own-group'),
  ['own-group', 'claims'],
  ['retina', 'packetcaptureconfig'],
]

const set = (...values: readonly string[]): string[] => values.flatMap(value => ['--set', value])

async function template(...args: readonly string[]): Promise<Manifest[]> {
  const text = await runHelm(['template', ...rendered, '--namespace', namespace, ...args])
  return parseAllDocuments(text)
    .map(document => document.toJS() as Manifest | null)
    .filter(object => object !== null)
}

/** By kind and name; the settings as a tree, because Helm sorts their keys. */
function byName(objects: readonly Manifest[]): Readonly<Record<string, unknown>> {
  const settingsOf = (object: Manifest): unknown =>
    object.metadata.name === 'selcap-config'
      ? { ...object, data: parse(object.data?.['config.yaml'] ?? '') }
      : object
  return Object.fromEntries(
    objects.map(object => [`${object.kind} ${object.metadata.name}`, settingsOf(object)]),
  )
}

/** The component names no tag: an overlay has to. */
function withClaimImage(objects: readonly Manifest[]): Manifest[] {
  const text = JSON.stringify(objects).replace(
    '"name":"CLAIM_IMAGE","value":"selcap"',
    `"name":"CLAIM_IMAGE","value":"${image.name}:${image.tag}"`,
  )
  return JSON.parse(text)
}

test('every command of the README is typed below', t => {
  t.deepEqual(commandsOf(read('charts/selcap/README.md')), [installation])
})

test('the chart is what `npm run chart` makes of the manifests', t => {
  const folder = mkdtempSync(join(tmpdir(), 'selcap-chart-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  makeChart(folder)
  const made = globSync(['*', 'templates/*.yaml'], { cwd: folder }).filter(name =>
    /\.\w+$/.test(name),
  )
  t.true(made.length > 15)
  for (const name of made)
    t.is(readFileSync(join(chart, name), 'utf8'), readFileSync(join(folder, name), 'utf8'), name)
  const templates = globSync('templates/*.yaml', { cwd: chart })
  t.deepEqual(templates.toSorted(), made.filter(name => name.startsWith('templates/')).toSorted())
})

for (const listed of sets)
  test(`chart and kustomization come to the same with ${listed.join(', ') || 'nothing more'}`, async t => {
    const expected = withClaimImage(renderKustomize(toolPath('kubectl'), listed, image))
    const values = listed.map(component => switches[component] ?? t.fail())
    const found = await template(
      ...set('namespace.create=true', 'crds.keep=false', ...values),
      ...set(`image.repository=${image.name}`, `image.tag=${image.tag}`),
    )
    t.deepEqual(byName(found), byName(expected))
  })

test('helm lint finds nothing', async t => {
  t.regex(
    await runHelm(['lint', '--strict', chart, ...version]),
    /1 chart\(s\) linted, 0 chart\(s\) failed/,
  )
})

test('in a namespace of another name nothing names selcap-system', async t => {
  const text = await runHelm(['template', ...rendered, '--namespace', 'captures'])
  t.false(text.includes('selcap-system'))
  t.regex(text, /^ {2}namespace: captures$/m)
})

test('a value that the chart does not have, or of another type, is refused by its name', async t => {
  for (const [value, told] of [
    ['agnet.nodeSelector=x', /agnet/],
    ['controller.replicas=two', /controller\/?\.?replicas/],
  ] as const) {
    const { code, err } = await askHelm(['template', ...rendered, ...set(value)])
    t.not(code, 0)
    t.regex(err, told)
  }
})

test('an image is named by its digest where one is given, and by the version of the chart where nothing is', async t => {
  const imagesOf = async (...values: readonly string[]): Promise<Set<string>> => {
    const text = await runHelm(['template', ...rendered, ...set(...values)])
    return new Set(Array.from(text.matchAll(/ image: (\S+)/g), ([, name = '']) => name))
  }
  const { version: ours } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  t.deepEqual(await imagesOf(), new Set([`selcap:${ours}`]))
  const digest = `sha256:${'0'.repeat(64)}`
  t.deepEqual(
    await imagesOf('image.repository=r/s', `image.digest=${digest}`),
    new Set([`r/s@${digest}`]),
  )
})

test.serial(
  'a release is installed, changed, rolled back and uninstalled, and captures outlive it',
  async t => {
    await using api = await startApiServer()
    const helm = (...args: readonly string[]): Promise<string> =>
      runHelm([...args, '--namespace', namespace], api.kubeconfig)
    const [, ...words] = installation.replace('charts/selcap', chart).split(' ')
    await runHelm(words, api.kubeconfig)
    const capture = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'PacketCapture',
      metadata: { name: 'first', namespace: 'default' },
      spec: { selector: 'all()' },
    }
    await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
    t.like(await api.ask(['apply', '-f', '-'], { input: JSON.stringify(capture) }), { code: 0 })

    const limit = async (): Promise<string> =>
      api.kubectl(
        'get',
        'daemonset',
        'selcap-agent',
        '-n',
        namespace,
        '-o',
        'jsonpath={.spec.template.spec.containers[0].resources.limits.memory}',
      )
    const before = await limit()
    await helm(
      'upgrade',
      'selcap',
      chart,
      ...set('agent.resources.limits.memory=1Gi', 'apis.retina=true'),
    )
    t.is(await limit(), '1Gi')
    t.regex(await api.kubectl('get', 'crd', '-o', 'name'), /captures\.retina\.sh/)
    await helm('rollback', 'selcap', '1')
    t.is(await limit(), before)

    await helm('uninstall', 'selcap', '--wait')
    t.is(
      await api.kubectl(
        'get',
        'daemonset,deployment,clusterrole',
        '-A',
        '-l',
        'app.kubernetes.io/part-of=selcap',
        '-o',
        'name',
      ),
      '',
    )
    t.is(
      await api.kubectl('get', 'packetcaptures', '-o', 'name'),
      'packetcapture.projectcalico.org/first\n',
    )

    await helm('install', 'selcap', chart, ...set('crds.keep=false'))
    await helm('uninstall', 'selcap', '--wait')
    t.is(
      await api.kubectl('get', 'crd', '-o', 'name'),
      'customresourcedefinition.apiextensions.k8s.io/captures.retina.sh\n',
    )
  },
)
