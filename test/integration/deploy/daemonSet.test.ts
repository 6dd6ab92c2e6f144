// On which nodes Kubernetes' own DaemonSet controller wants an agent.
import { join } from 'node:path'
import test from 'ava'
import { asFlags } from '../../support/kube/apiServer.ts'
import { startChild } from '../../support/kube/child.ts'
import { systemNamespace, useInstalled } from '../../support/kube/installManifests.ts'
import { missingTools, toolPath } from '../../support/kube/tools.ts'
import { until } from '../../support/until.ts'

const isMissing = missingTools('node').some(({ name }) => name === 'kube-controller-manager')
const managerTest = isMissing ? test.skip : test.serial
const server = useInstalled()

const linux = { 'kubernetes.io/os': 'linux' }
const nodes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ordinary: linux,
  bare: { ...linux, type: 'metal' },
  hybrid: { ...linux, 'eks.amazonaws.com/compute-type': 'hybrid' },
  fargate: { ...linux, 'eks.amazonaws.com/compute-type': 'fargate' },
  aci: { ...linux, type: 'virtual-kubelet' },
  kwok: { ...linux, type: 'kwok' },
  liqo: { ...linux, 'liqo.io/type': 'virtual-node' },
  windows: { 'kubernetes.io/os': 'windows' },
}

managerTest(
  'an agent is wanted on every Linux node, and on none that runs no DaemonSet',
  async t => {
    const { api } = server()
    const taints = [{ key: 'provider', value: 'x', effect: 'NoSchedule' }]
    await server().apply(
      ...Object.entries(nodes).map(([name, labels]) => ({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels },
        spec: { taints },
      })),
      {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default', namespace: systemNamespace },
      },
    )
    const flags = asFlags({
      kubeconfig: api.kubeconfig,
      controllers: 'daemonset-controller',
      'leader-elect': 'false',
      'secure-port': '0',
    })
    await using manager = startChild('manager', [toolPath('kube-controller-manager'), ...flags], {
      logFile: join(api.directory, 'manager.log'),
    })
    const wanted = ['bare', 'hybrid', 'ordinary']
    const status = async () =>
      JSON.parse(
        await api.kubectl('get', 'daemonset', 'selcap-agent', '-n', systemNamespace, '-o', 'json'),
      ).status as { readonly observedGeneration?: number; readonly desiredNumberScheduled: number }
    await until('the DaemonSet to be seen', async () => {
      t.true(manager.isRunning, manager.tail())
      const { observedGeneration, desiredNumberScheduled } = await status()
      return observedGeneration !== undefined && desiredNumberScheduled > 0
    })
    t.is((await status()).desiredNumberScheduled, wanted.length)
    type Pod = { readonly spec: { readonly affinity: object } }
    let pods: readonly Pod[] = []
    await until('the pods', async () => {
      const answer = await api.kubectl(
        ...['get', 'pods', '-n', systemNamespace, '-o', 'json'],
        ...['-l', 'app.kubernetes.io/name=selcap-agent'],
      )
      pods = JSON.parse(answer).items
      return pods.length >= wanted.length
    })
    const names = pods.flatMap(({ spec }) =>
      Array.from(
        JSON.stringify(spec).matchAll(/"matchFields":\[.*?"values":\["(.*?)"\]/g),
        m => m[1],
      ),
    )
    t.deepEqual(names.toSorted(), wanted)
  },
)
