// `kubectl pcap install` and `uninstall` on a real API server, with the controllers that delete
// namespaces and what is owned: an installation is complete, and nothing of it is left.
import { delimiter, dirname, join } from 'node:path'
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { renderKustomize } from '../../../../scripts/chart/kustomize.ts'
import { exitCodes } from '../../../../src/model/codes.ts'
import { collectGarbage } from '../../../support/kube/packetCaptureConfigs.ts'
import { toolPath } from '../../../support/kube/tools.ts'
import { useSimulated } from '../../../support/kube/useSimulated.ts'
import { root } from '../../../support/repository.ts'
import { shared } from '../../../support/shared.ts'
import { until } from '../../../support/until.ts'

const { cluster, clusterTest } = useSimulated()
const cleanUps: (() => unknown)[] = []
const started = shared(async () => {
  process.env.PATH = [join(root, 'bin'), dirname(toolPath('kubectl')), process.env.PATH].join(
    delimiter,
  )
  const controllers = ['garbage-collector', 'namespace', 'daemonset'].map(
    name => `${name}-controller`,
  )
  const scope = { teardown: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
  collectGarbage(scope, cluster(), controllers.join())
})
test.after.always(async () => {
  for (const cleanUp of cleanUps.toReversed()) await cleanUp()
})

const pcap = async (...args: string[]) => {
  await started()
  return cluster().api.ask(['pcap', ...args])
}
const image = 'registry.example/selcap:9'
const namesOf = async (...args: string[]): Promise<string[]> =>
  (await cluster().api.kubectl('get', ...args, '-o', 'name'))
    .split('\n')
    .filter(name => name !== '')
const installed = (): Promise<string[]> =>
  namesOf(
    'crd,clusterrole,clusterrolebinding,validatingadmissionpolicy,validatingadmissionpolicybinding,priorityclass,namespace',
    ...['-l', 'app.kubernetes.io/part-of=selcap'],
  )
const capture = (kind: object, spec: object) => ({
  ...kind,
  metadata: { name: 'one', namespace: 'shop' },
  spec,
})

clusterTest('install --dry-run prints what kustomize makes of the manifests', async t => {
  for (const components of [[], ['own-group'], ['retina', 'packetcaptureconfig', 'claims']]) {
    const { out } = await pcap('install', '--dry-run', '--image', image, '--components', components.join()) // biome-ignore format: one line
    const [name = '', tag = ''] = image.split(':')
    const expected = JSON.stringify(renderKustomize(toolPath('kubectl'), components, { name, tag }))
    t.deepEqual(
      parseAllDocuments(out).map(document => document.toJS()),
      JSON.parse(expected.replace('"CLAIM_IMAGE","value":"selcap"', `"CLAIM_IMAGE","value":"${image}"`)), // biome-ignore format: one line
    )
  }
})

clusterTest('install writes nothing where the kinds of a component are not served', async t => {
  const args = ['--image', 'other:1', '--components', 'monitoring']
  const images = () =>
    cluster().api.kubectl('get', 'daemonset,deployment', '-A', '-o', 'jsonpath={..image}')
  const before = await images()
  const refused = await pcap('install', ...args)
  t.is(refused.code, exitCodes.conflict, refused.out)
  t.regex(refused.err, /^Cannot install: this cluster does not have monitoring\.coreos\.com\/v1,/)
  t.is(await images(), before)
})

clusterTest('install refuses what it does not know, and another owner of the resource', async t => {
  t.like(await pcap('install', '--components', 'nothing'), { code: exitCodes.usage })
  t.like(await pcap('install', '--image', 'a b'), { code: exitCodes.usage })
  await cluster().api.kubectl('label', 'crd', 'packetcaptures.projectcalico.org', 'app.kubernetes.io/part-of=calico', '--overwrite') // biome-ignore format: one line
  const { code, err } = await pcap('install', '--image', image)
  t.is(code, exitCodes.conflict)
  t.regex(
    err,
    /something else serves packetcaptures.projectcalico.org here; --components own-group/,
  )
  await cluster().api.kubectl('label', 'crd', 'packetcaptures.projectcalico.org', 'app.kubernetes.io/part-of=selcap', '--overwrite') // biome-ignore format: one line
})

clusterTest(
  'uninstall asks about captures, tells of role bindings, and leaves nothing',
  async t => {
    const { api } = cluster()
    const done = await pcap('install', '--image', image, '--components', 'retina')
    t.is(done.code, 0, done.err)
    t.regex(done.out, /^daemonset\/selcap-agent applied$/m)
    await api.kubectl('create', 'namespace', 'shop')
    await api.kubectl('create', 'rolebinding', 'dev-files', '-n', 'shop', '--clusterrole=selcap-files', '--user=dev') // biome-ignore format: one line
    await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
    const calico = { apiVersion: 'projectcalico.org/v3', kind: 'PacketCapture' }
    await cluster().apply(capture(calico, { selector: 'all()' }))

    const asked = await pcap('uninstall')
    t.is(asked.code, exitCodes.usage)
    t.regex(asked.err, /it would remove 1 captures in shop, with all their files; expected --yes/)
    t.is((await namesOf('packetcaptures', '-A')).length, 1)

    const { code, out, err } = await pcap('uninstall', '--yes')
    t.is(code, 0, err)
    t.regex(out, /^1 captures deleted$/m)
    t.regex(out, /^Cleaning the nodes: \/var\/log\/calico\/pcap, \/var\/log\/retina\/captures$/m)
    t.regex(
      out,
      /selcap-files is gone, and named still: kubectl delete rolebinding dev-files -n shop/,
    )
    await until('all to be gone', async () => (await installed()).length === 0, {
      found: installed,
    })
    t.like(await pcap('uninstall', '--yes'), { code: exitCodes.notFound })

    const again = await pcap('install', '--image', image) // straight after it
    t.is(again.code, 0, again.err)
    t.deepEqual(await namesOf('daemonset', '-n', 'selcap-system'), ['daemonset.apps/selcap-agent'])
  },
)

clusterTest('uninstall --keep-files leaves the nodes as they are, and says so', async t => {
  const { code, out, err } = await pcap('uninstall', '--yes', '--keep-files')
  t.is(code, 0, err)
  t.regex(out, /What was captured stays on the nodes: \/var\/log\/calico\/pcap/)
  t.false(out.includes('Cleaning'))
  await until('all to be gone', async () => (await installed()).length === 0, { found: installed })
})

clusterTest(
  'install --for brings a Job that may remove the installation, and nothing else',
  async t => {
    const { api } = cluster()
    const done = await pcap('install', '--image', image, '--for', '1h', '--components', 'retina')
    t.is(done.code, 0, done.err)
    t.like(await pcap('install', '--for', '1h'), { code: exitCodes.conflict })
    const job = await cluster().get<Job>('job', 'selcap-uninstall', '-n', 'selcap-system')
    const [container] = job.spec.template.spec.containers
    const [program, ...args] = container?.command ?? []
    const at = args.indexOf('--at') + 1
    t.is(program, 'selcap')
    const leftMs = Date.parse(args[at] ?? '') - Date.now()
    t.true(leftMs > 3_000_000 && leftMs <= 3_600_000, String(leftMs))

    const may = async (...ask: string[]) =>
    (await api.ask(['auth', 'can-i', ...ask, '--as', 'system:serviceaccount:selcap-system:selcap-uninstall'])).out.trim() // biome-ignore format: one line
    t.is(await may('delete', 'namespaces/selcap-system'), 'yes')
    t.is(await may('delete', 'namespaces/shop'), 'no')
    t.is(await may('delete', 'clusterroles'), 'no')
    t.is(await may('get', 'secrets', '-n', 'selcap-system'), 'no')

    await api.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s')
    const retina = { apiVersion: 'retina.sh/v1alpha1', kind: 'Capture' }
    const captureConfiguration = {
      captureTarget: { podSelector: {} },
      captureOption: { duration: '1h' },
    }
    await cluster().apply(capture(retina, { captureConfiguration, outputConfiguration: { hostPath: 'x' } })) // biome-ignore format: one line
    const due = args.with(at, new Date().toISOString())
    const child = await cluster().runInPod('uninstall', 'selcap-uninstall', due)
    await child.whenEnded()
    t.regex(child.tail(), /^namespace\/selcap-system deleted$/m)
    await api.ask(['delete', 'pods', '--all', '-n', 'selcap-system', '--force']) // no kubelet ends them
    await until('all to be gone', async () => (await installed()).length === 0, {
      found: installed,
    })
  },
)

/** Kills an uninstall as soon as that is so; nothing it has begun is waited for. */
async function killUninstall(name: string, isSo: (output: string) => Promise<boolean>) {
  const { kubeconfig } = cluster().api
  const child = cluster().run(name, undefined, ['uninstall', '--yes', '--kubeconfig', kubeconfig])
  await until(`${name} to get there`, () => isSo(child.tail()), {
    found: () => child.tail(),
  })
  await child.stop('SIGKILL')
  if (child.exit.signal !== 'SIGKILL') throw new Error(`It had ended: ${child.tail()}`)
}

clusterTest(
  'uninstall goes on where another one was killed, and cleans nodes without the agents',
  async t => {
    const { api } = cluster()
    await started()
    const labels = { 'kubernetes.io/os': 'linux' }
    await cluster().apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1', labels } })
    const within = ['-n', 'selcap-system']
    const podsOf = (name: string) => namesOf('pods', ...within, '-l', `app.kubernetes.io/name=${name}`) // biome-ignore format: one line
    const podOf = async (name: string) => {
      await until(`a pod of ${name}`, async () => (await podsOf(name)).length > 0)
      return (await podsOf(name))[0] ?? ''
    }
    const done = await pcap('install', '--image', image)
    t.is(done.code, 0, done.err)
    const agent = await podOf('selcap-agent')
    const hold = (finalizers: readonly string[]) =>
      api.kubectl('patch', agent, ...within, '--type=merge', '-p', JSON.stringify({ metadata: { finalizers } })) // biome-ignore format: one line
    await hold(['selcap.test/hold']) // as a pod that takes long to end

    const daemonSets = () => namesOf('daemonset', ...within)
    const agents = 'daemonset.apps/selcap-agent'
    const cleaning = 'daemonset.apps/selcap-clean'
    await killUninstall('one', async () => !(await daemonSets()).includes(agents))
    t.deepEqual(await daemonSets(), [cleaning])
    t.deepEqual(await podsOf('selcap-clean'), []) // an agent still runs

    await api.ask(['delete', agent, ...within, '--force', '--wait=false'])
    await hold([])
    await killUninstall('two', async output => output.includes('Cleaning the nodes'))
    t.deepEqual(await daemonSets(), [cleaning])

    const { kubeconfig } = api
    const third = cluster().run('three', undefined, ['uninstall', '--yes', '--kubeconfig', kubeconfig]) // biome-ignore format: one line
    const pod = await podOf('selcap-clean')
    await until('the third to clean', async () => /^Cleaning/m.test(third.tail()))
    t.regex(third.tail(), /^Cleaning the nodes: \/var\/log\/calico\/pcap$/m)
    t.deepEqual([await daemonSets(), third.isRunning], [[cleaning], true])
    const conditions = [{ type: 'Ready', status: 'True' }]
    const ready = JSON.stringify({ status: { phase: 'Running', conditions } })
    await api.kubectl('patch', pod, ...within, '--subresource=status', '--type=merge', '-p', ready)
    await until('the node to be clean', async () => !(await daemonSets()).includes(cleaning))
    await api.ask(['delete', 'pods', '--all', ...within, '--force']) // no kubelet ends them
    await third.whenEnded()
    t.is(third.exit.code, 0, third.tail())
    await until('all to be gone', async () => (await installed()).length === 0, {
      found: installed,
    })

    // Who installs again keeps what the new agents capture.
    t.is((await pcap('install', '--image', image)).code, 0)
    await podOf('selcap-agent')
    await killUninstall('four', async () => (await daemonSets()).includes(cleaning))
    const again = await pcap('install', '--image', image)
    t.is(again.code, 0, again.err)
    t.deepEqual(await daemonSets(), [agents])
    await api.ask(['delete', 'pods', '--all', ...within, '--force'])
    await api.kubectl('delete', 'node', 'node-1')
    const removed = await pcap('uninstall', '--yes')
    t.is(removed.code, 0, removed.err)
  },
)

type Job = {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly command: readonly string[] }[] }
    }
  }
}
