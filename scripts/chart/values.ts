// Which fields of the manifests come from values.yaml. In: an object as kubectl renders it. Out: a
// copy with an Insert in place of each such field.
import type { Manifest } from './kustomize.ts'
import { Insert } from './template.ts'

type Path = readonly (string | number)[]
type Place = readonly [path: Path, insert: Insert]

const pod: Path = ['spec', 'template', 'spec']
const container: Path = [...pod, 'containers', 0]

function workload(values: string): Place[] {
  return [
    [[...container, 'imagePullPolicy'], new Insert('scalar', '.Values.image.pullPolicy')],
    [[...container, 'resources'], new Insert('block', `.Values.${values}.resources`)],
    [[...pod, 'imagePullSecrets'], new Insert('optional', '.Values.imagePullSecrets')],
    [[...pod, 'nodeSelector'], new Insert('block', `.Values.${values}.nodeSelector`)],
    [[...pod, 'tolerations'], new Insert('optional', `.Values.${values}.tolerations`)],
    [[...pod, 'affinity'], new Insert('optional', `.Values.${values}.affinity`)],
    [
      ['spec', 'template', 'metadata', 'annotations'],
      new Insert('optional', `.Values.${values}.podAnnotations`),
    ],
  ]
}

const replicas = (values: string): Place => [
  ['spec', 'replicas'],
  new Insert('scalar', `.Values.${values}.replicas`),
]

// Often a Prometheus takes what has a label of its own.
const monitoringLabels: Place = [
  ['metadata', 'labels'],
  new Insert(
    'block',
    '(merge (dict "app.kubernetes.io/part-of" "selcap") .Values.monitoring.labels)',
  ),
]

const places: Readonly<Record<string, readonly Place[]>> = {
  'DaemonSet/selcap-agent': [
    ...workload('agent'),
    [[...pod, 'priorityClassName'], new Insert('scalar', '.Values.agent.priorityClassName')],
  ],
  'Deployment/selcap-controller': [...workload('controller'), replicas('controller')],
  'Deployment/selcap-gateway': [...workload('gateway'), replicas('gateway')],
  'PodMonitor/selcap': [monitoringLabels],
  'PrometheusRule/selcap': [monitoringLabels],
  'ConfigMap/selcap-config': [[['data', 'config.yaml'], new Insert('text', '.Values.settings')]],
  'ConfigMap/packet-capture-config': [
    [['data'], new Insert('block', '.Values.packetCaptureConfig')],
  ],
}

const annotations: Place = [
  ['metadata', 'annotations'],
  new Insert('optional', 'include "selcap.crdAnnotations" . | fromYaml'),
]

/**
 * Takes an object in which the image is `selcap:IMAGE`. The component for claims names the image
 * without a tag, in a variable: the chart can do better.
 */
export function withValues(manifest: Manifest): Manifest {
  const object = JSON.parse(
    JSON.stringify(manifest).replace(
      '{"name":"CLAIM_IMAGE","value":"selcap"}',
      '{"name":"CLAIM_IMAGE","value":"selcap:IMAGE"}',
    ),
  ) as Manifest
  const isDefinition = object.kind === 'CustomResourceDefinition'
  const found = isDefinition
    ? [annotations]
    : (places[`${object.kind}/${object.metadata.name}`] ?? [])
  return found.reduce<Manifest>(
    (tree, [path, insert]) => withAt(tree, path, insert) as Manifest,
    object,
  )
}

function withAt(tree: unknown, [first, ...others]: Path, insert: Insert): unknown {
  if (first === undefined) return insert
  const child = (tree as Readonly<Record<string | number, unknown>>)[first] ?? {}
  const changed = withAt(child, others, insert)
  return Array.isArray(tree)
    ? tree.with(Number(first), changed)
    : { ...(tree as Readonly<Record<string, unknown>>), [first]: changed }
}
