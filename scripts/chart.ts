// Makes the Helm chart from the manifests of daemonset: `npm run chart [-- DIRECTORY]`.
// In: daemonset/base and its components, as kubectl renders them; values.yaml of charts/selcap. Out:
// what is made of them in charts/selcap, or in DIRECTORY: templates, Chart.yaml, the values' schema
// and README.md. Refuses a component that changes the base in a way a template cannot say.
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import { toolPath } from '../test/support/kube/tools.ts'
import {
  type Manifest,
  renderKustomize,
  renderVariants,
  type Templated,
  type Variant,
} from './chart/kustomize.ts'
import { templateLines } from './chart/template.ts'
import { withValues } from './chart/values.ts'
import { valuesSchema, valuesTable } from './chart/valuesTable.ts'

const root = join(import.meta.dirname, '..')
const chart = join(root, 'charts', 'selcap')
const made = '{{- /* Made by npm run chart from daemonset: change it there. */ -}}\n'

/** The condition under which each component of daemonset/components is part of a release. */
export const chartVariants: readonly Variant[] = [
  { component: 'own-group', condition: 'eq .Values.apiGroup "selcap.dev"' },
  { component: 'retina', condition: '.Values.apis.retina' },
  { component: 'packetcaptureconfig', condition: '.Values.apis.packetcaptureconfig' },
  { component: 'claims', condition: '.Values.claims.enabled' },
  { component: 'store-authority', condition: '.Values.storeAuthority.enabled' },
  { component: 'host-interfaces', condition: 'not .Values.agent.podNamespaces' },
  { component: 'openshift', condition: '.Values.openshift.enabled' },
  { component: 'gke-autopilot', condition: '.Values.gkeAutopilot.enabled' },
  { component: 'monitoring', condition: '.Values.monitoring.enabled' },
]

// Objects that a release may go without.
const guards: Readonly<Record<string, string>> = {
  Namespace: '.Values.namespace.create',
  CustomResourceDefinition: '.Values.crds.install',
}

if (import.meta.main) makeChart(process.argv[2] ?? chart)

/** Writes what is made of the manifests into a folder: `templates/*.yaml` and three files. */
export function makeChart(folder: string): void {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    readonly version: string
  }
  const values = parseDocument(readFileSync(join(chart, 'values.yaml'), 'utf8'))
  const templates = join(folder, 'templates')
  mkdirSync(templates, { recursive: true })
  for (const name of globSync('*.yaml', { cwd: templates })) rmSync(join(templates, name))
  for (const [name, text] of templatesByFile()) writeFileSync(join(templates, name), text)
  writeFileSync(join(folder, 'Chart.yaml'), chartYaml(version))
  writeFileSync(
    join(folder, 'values.schema.json'),
    `${JSON.stringify(valuesSchema(values), undefined, 2)}\n`,
  )
  writeFileSync(join(folder, 'README.md'), readme(valuesTable(values)))
}

function templatesByFile(): Map<string, string> {
  const image = { name: 'selcap', tag: 'IMAGE' }
  const rendered = new Map<string, readonly Manifest[]>()
  const render = (components: readonly string[]): readonly Manifest[] => {
    const ordered = chartVariants
      .map(({ component }) => component)
      .filter(each => components.includes(each))
    const key = ordered.join(' ')
    const objects =
      rendered.get(key) ?? renderKustomize(toolPath('kubectl'), ordered, image).map(withValues)
    rendered.set(key, objects)
    return objects
  }
  const byFile = Map.groupBy(renderVariants(render, chartVariants), fileOf)
  return new Map([...byFile].map(([file, all]) => [file, `${made}${all.map(textOf).join('')}`]))
}

/** One file a kind: what changes together is seen together. */
function fileOf({ object }: Templated): string {
  return `${object.kind.toLowerCase()}.yaml`
}

function textOf({ object, condition, alternatives }: Templated): string {
  const wanted = [guards[object.kind], condition].filter(each => each !== undefined)
  const text = ['---', ...templateLines(object, alternatives), ''].join('\n')
  if (wanted.length === 0) return text
  const all = wanted.length === 1 ? wanted[0] : `and ${wanted.map(each => `(${each})`).join(' ')}`
  return `{{- if ${all} }}\n${text}{{- end }}\n`
}

function chartYaml(version: string): string {
  return `# Made by npm run chart.
apiVersion: v2
name: selcap
type: application
description: Packet capture for Kubernetes by Calico selectors and time windows
version: ${version}
appVersion: ${version}
kubeVersion: ">=1.30.0-0"
keywords: [packet-capture, pcap, network, calico, retina]
`
}

function readme(table: string): string {
  return `# The Helm chart of selcap

It installs what [daemonset/base](../../daemonset/README.md) installs, with the components that its values switch on; a test renders both and compares them.

\`\`\`sh
helm install selcap charts/selcap --namespace selcap-system --create-namespace --set image.repository=NAME
\`\`\`

The namespace has to let agents use the host's network: label it \`pod-security.kubernetes.io/enforce=privileged\`, or let \`--set namespace.create=true\` make it, without \`--create-namespace\`.

\`helm uninstall selcap\` leaves the custom resource definitions and so everybody's captures, unless \`crds.keep\` is false. Files that agents hold stay on the nodes.

${table}
`
}
