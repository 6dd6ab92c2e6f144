// `selcap preflight` and the controller's refusal, against a real API server on which somebody else
// serves the group.
import { execFile } from 'node:child_process'
import test from 'ava'
import { type ApiServer, startApiServer } from '../../support/kube/apiServer.ts'
import { selcap } from '../../support/processes/standalone.ts'

const started: ApiServer[] = []
test.before(async () => {
  started.push(await startApiServer())
})
test.after.always(async () => {
  for (const api of started) await api.stop()
})

type Said = { readonly code: number | null; readonly out: string; readonly err: string }

function run(...args: string[]): Promise<Said> {
  const kubeconfig = started[0]?.kubeconfig ?? ''
  return new Promise(resolve => {
    const child = execFile(
      selcap,
      [...args, '--kubeconfig', kubeconfig],
      { timeout: 60_000 },
      (_, out, err) => resolve({ code: child.exitCode, out, err }),
    )
  })
}

async function apply(document: object): Promise<void> {
  await started[0]?.ask(['apply', '-f', '-'], { input: JSON.stringify(document) })
}

test.serial('preflight agrees where nothing else serves the group', async t => {
  t.deepEqual(await run('preflight'), {
    code: 0,
    out: 'Nothing else serves projectcalico.org/v3: selcap can be installed\n',
    err: '',
  })
})

test.serial('preflight agrees where the group is served by plain resources', async t => {
  await started[0]?.kubectl('apply', '--server-side', '-k', 'crds')
  await started[0]?.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s')
  await started[0]?.kubectl(
    'wait',
    '--for=create',
    'apiservice/v3.projectcalico.org',
    '--timeout=30s',
  )
  t.is((await run('preflight')).code, 0)
})

test.serial(
  'preflight names the node on which an agent does not start, and what to do',
  async t => {
    const agent = (name: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'default',
        labels: { 'app.kubernetes.io/name': 'selcap-agent' },
      },
      spec: { nodeName: `node-of-${name}`, containers: [{ name: 'agent', image: 'selcap' }] },
    })
    await apply(agent('a'))
    await apply(agent('b'))
    t.deepEqual(await run('preflight'), {
      code: 0,
      out: 'Nothing else serves projectcalico.org/v3: selcap is installed, with 2 agents\n',
      err: '',
    })
    const message = 'path "/run/netns" is mounted on "/run" but it is not a shared or slave mount'
    const waiting = { reason: 'CreateContainerError', message }
    const fields = { name: 'agent', image: 'selcap', imageID: '', ready: false, restartCount: 0 }
    const status = { containerStatuses: [{ ...fields, state: { waiting } }] }
    const patch = JSON.stringify({ status })
    await started[0]?.kubectl('patch', 'pod', 'b', '--subresource=status', '--type=merge', '-p', patch) // biome-ignore format: one line
    const { code, out, err } = await run('preflight')
    t.is(`${code} ${out}`, '1 ')
    t.regex(
      err,
      /^The agent on node node-of-b does not start: CreateContainerError: .*make-rshared/,
    )
    await started[0]?.kubectl('delete', 'pod', 'a', 'b', '--force')
  },
)

test.serial(
  'preflight and controller refuse beside Calico Enterprise, and say what to install instead',
  async t => {
    const names = {
      plural: 'licensekeys',
      singular: 'licensekey',
      kind: 'LicenseKey',
      listKind: 'LicenseKeyList',
    }
    const schema = { openAPIV3Schema: { type: 'object' } }
    await apply({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'licensekeys.crd.projectcalico.org' },
      spec: {
        group: 'crd.projectcalico.org',
        scope: 'Cluster',
        names,
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    })
    const said = await run('preflight')
    t.is(said.code, 1)
    t.regex(
      said.err,
      /^Cannot serve projectcalico\.org\/v3: Calico Enterprise is installed here .*daemonset\/overlays\/own-group/,
    )
    const controller = await run('controller', '--metrics-port', '0')
    t.is(controller.code, 2)
    t.is(controller.err, said.err)
    t.is((await run('preflight', '--api-group', 'selcap.dev')).code, 0)
    await started[0]?.kubectl('delete', 'crd', 'licensekeys.crd.projectcalico.org')
  },
)

test.serial('preflight refuses where an aggregated API server serves the group', async t => {
  await started[0]?.kubectl('delete', '-k', 'crds')
  await started[0]?.kubectl(
    'wait',
    '--for=delete',
    'apiservice/v3.projectcalico.org',
    '--timeout=30s',
  )
  const service = { name: 'calico-api', namespace: 'calico-apiserver' }
  await apply({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: 'v3.projectcalico.org' },
    spec: {
      group: 'projectcalico.org',
      version: 'v3',
      service,
      groupPriorityMinimum: 1_000,
      versionPriority: 10,
      insecureSkipTLSVerify: true,
    },
  })
  const { code, err } = await run('preflight')
  t.is(code, 1)
  t.regex(err, /the aggregated API server calico-apiserver\/calico-api does already/)
})
