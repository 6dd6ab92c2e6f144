// The manifests against a real API server: they apply to an empty cluster, say the same when
// applied again, pass a dry run, and what they install takes the captures it is there for.
import { join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { startApiServer } from '../../support/kube/apiServer.ts'
import { useInstalled } from '../../support/kube/installManifests.ts'
import { read, root } from '../../support/repository.ts'

const base = join(root, 'daemonset/base')
const overlay = join(root, 'daemonset/overlays/own-group')
const server = useInstalled()
const linesOf = (text: string): string[] => text.trim().split('\n')

for (const name of ['base', 'overlays/every-api', 'overlays/claims'])
  test.serial(`kubectl apply -k daemonset/${name} changes nothing the second time`, async t => {
    const path = join(root, 'daemonset', name)
    await server().api.kubectl('apply', '-k', path)
    const before = await versionsOf(path)
    const lines = linesOf(await server().api.kubectl('apply', '-k', path))
    t.true(lines.length >= 28, lines.join('\n'))
    // kubectl replaces a PodDisruptionBudget's selector as a whole, and so always sends it.
    t.deepEqual(
      lines.filter(
        line => !/ unchanged$/.test(line) && !/^poddisruptionbudget.* configured$/.test(line),
      ),
      [],
    )
    t.deepEqual(await versionsOf(path), before)
    t.deepEqual(await server().api.ask(['diff', '-k', path]), { code: 0, out: '', err: '' })
  })

/** Of a CustomResourceDefinition the generation: its status goes on after it was applied. */
async function versionsOf(path: string): Promise<string[]> {
  const columns =
    '{.kind}{" "}{.metadata.name}{" "}{.metadata.generation}{" "}{.metadata.resourceVersion}{"\\n"}'
  const text = await server().api.kubectl(
    'get',
    '-k',
    path,
    '-o',
    `jsonpath={range .items[*]}${columns}{end}`,
  )
  return linesOf(text).map(line => (line.startsWith('Custom') ? line.replace(/ \d+$/, '') : line))
}

test.serial(
  'kubectl apply -k daemonset/base --dry-run=server is accepted without a warning',
  async t => {
    const { code, out, err } = await server().api.ask(['apply', '-k', base, '--dry-run=server'])
    t.deepEqual([code, err], [0, ''])
    t.deepEqual(
      linesOf(out).filter(line => !/ (unchanged|configured) \(server dry run\)$/.test(line)),
      [],
    )
  },
)

test.serial(
  'kubectl apply --validate=strict finds no field that Kubernetes does not know',
  async t => {
    const { code, err } = await server().api.ask([
      'apply',
      '-k',
      base,
      '--dry-run=server',
      '--validate=strict',
    ])
    t.deepEqual([code, err], [0, ''])
  },
)

for (const file of ['calico-filters.yaml', 'calico-window.yaml']) {
  test.serial(`kubectl apply takes ${file} as documented`, async t => {
    await server().api.ask(['create', 'namespace', 'sample-namespace']) // there already, perhaps
    t.regex(
      await server().api.kubectl('apply', '-f', join(root, 'test/fixtures', file)),
      /^packetcapture\.projectcalico\.org\/\S+ \w+\n$/,
    )
  })
}

test.serial('kubectl get nodecapturereports prints its columns', async t => {
  const names = linesOf(
    await server().api.kubectl(
      'get',
      'crd',
      'nodecapturereports.selcap.dev',
      '-o',
      'jsonpath={range .spec.versions[0].additionalPrinterColumns[*]}{.name}{"\\n"}{end}',
    ),
  )
  t.deepEqual(names.slice(0, 5), ['Agent', 'Reported', 'Disk', 'Free', 'Age'])
})

test.serial(
  'kubectl delete -k daemonset/base takes everything away that it brought, the captures too',
  async t => {
    await using other = await startApiServer()
    await other.kubectl('apply', '-k', base)
    const lines = linesOf(await other.kubectl('delete', '-k', base, '--wait=false'))
    t.is(
      lines.length,
      linesOf(await other.kubectl('kustomize', base)).filter(line => line.startsWith('kind: '))
        .length,
    )
  },
)

test.serial(
  'the overlay own-group serves the same schema as selcap.dev/v3, and leaves projectcalico.org alone',
  async t => {
    await using other = await startApiServer()
    await other.kubectl('apply', '-k', overlay)
    await other.kubectl(
      'wait',
      '--for=condition=Established',
      'crd/packetcaptures.selcap.dev',
      '--timeout=30s',
    )
    await other.kubectl('create', 'namespace', 'sample-namespace')
    const input = read('test/fixtures/calico-filters.yaml').replace(
      'projectcalico.org/v3',
      'selcap.dev/v3',
    )
    t.like(await other.ask(['apply', '-f', '-'], { input }), {
      code: 0,
      out: 'packetcapture.selcap.dev/sample-capture created\n',
    })
    const groups = JSON.parse(await other.kubectl('get', '--raw', '/apis')) as {
      groups: { name: string }[]
    }
    t.false(groups.groups.some(({ name }) => name === 'projectcalico.org'))
  },
)

test.serial('the overlay own-group differs from the base by the group alone', async t => {
  const [ours, theirs] = await Promise.all(
    [overlay, base].map(path => server().api.kubectl('kustomize', path)),
  )
  const kept = /felixconfigurations|v3\.projectcalico\.org/ // Calico's own, wherever captures are
  const changed = parseAllDocuments(theirs ?? '').map(document => document.toJS())
  const expected = changed.map(document =>
    JSON.parse(JSON.stringify(document), (_, value) =>
      Array.isArray(value) ||
      typeof value !== 'object' ||
      value === null ||
      kept.test(JSON.stringify(value.resources ?? value.resourceNames ?? ''))
        ? value
        : renamed(value),
    ),
  )
  const sorted = (documents: readonly object[]) =>
    documents.map(document => JSON.stringify(document)).toSorted()
  t.deepEqual(
    sorted(parseAllDocuments(ours ?? '').map(document => document.toJS())),
    sorted(expected),
  )
})

function renamed(value: Record<string, unknown>): Record<string, unknown> {
  const group = (given: unknown) => (given === 'projectcalico.org' ? 'selcap.dev' : given)
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      name === 'apiGroups' && Array.isArray(inner)
        ? inner.map(group)
        : inner === 'packetcaptures.projectcalico.org'
          ? 'packetcaptures.selcap.dev'
          : group(inner),
    ]),
  )
}
