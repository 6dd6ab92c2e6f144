// The component `monitoring`: alerts and dashboard name metrics that the programs export, and each
// alert has a section in docs/monitoring.md, and the other way round.
import test from 'ava'
import { parse } from 'yaml'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

type Alert = {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
type Panel = {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

const folder = 'daemonset/components/monitoring'
const { spec } = parse(read(`${folder}/alerts.yaml`)) as {
  readonly spec: { readonly groups: readonly { readonly rules: readonly Alert[] }[] }
}
const alerts = spec.groups.flatMap(({ rules }) => rules)
const dashboard = JSON.parse(read(`${folder}/dashboard.json`)) as {
  readonly panels: readonly Panel[]
}
const exported = new Set(under('src').flatMap(file => metricsIn(read(file))))
const manual = read('docs/monitoring.md')
const headings = Array.from(manual.matchAll(/^### (Selcap\w+)$/gm), ([, name = '']) => name)

function metricsIn(text: string): string[] {
  return Array.from(text.matchAll(/\bselcap_[a-z0-9_]+/g), ([name]) => name)
}

/** A histogram is exported as three series. */
function unknownIn(expression: string): string[] {
  return metricsIn(expression).filter(
    name => !exported.has(name) && !exported.has(name.replace(/_(bucket|count|sum)$/, '')),
  )
}

test('unknownIn() finds a metric that no program has', t => {
  t.deepEqual(unknownIn('rate(selcap_turn_seconds_count[5m]) / selcap_nothing'), ['selcap_nothing'])
})

test('each alert has a section in docs/monitoring.md, in that order', t => {
  t.deepEqual(
    headings,
    alerts.map(({ alert }) => alert),
  )
})

for (const { alert, expr, labels, annotations } of alerts)
  test(`${alert} is about metrics that exist, and says how bad, what, and what to do`, t => {
    t.true(metricsIn(expr).length > 0 || /^absent\(up\{|^up\{/.test(expr))
    t.deepEqual(unknownIn(expr), [])
    t.true(['critical', 'warning'].includes(labels.severity ?? ''))
    t.deepEqual(Object.keys(annotations), ['summary', 'description', 'runbook'])
    t.is(annotations.runbook, `docs/monitoring.md#${alert.toLowerCase()}`)
  })

const targets = dashboard.panels.flatMap(({ targets: all = [] }) => all.map(({ expr }) => expr))
for (const { id, title, type, targets: all = [] } of dashboard.panels)
  test(`the panel ${id} "${title}" shows metrics that exist`, t => {
    t.is(all.length > 0, type !== 'row')
    for (const { expr } of all) t.deepEqual(unknownIn(expr), [])
  })

test('the dashboard has every metric, and each panel an id of its own', t => {
  const shown = new Set(targets.flatMap(metricsIn).map(name => name.replace(/_bucket$/, '')))
  const inManual = Array.from(
    read('docs/operations.md').matchAll(/^\| `(selcap_[a-z0-9_]+)` \|/gm),
    ([, name = '']) => name,
  )
  t.deepEqual(
    inManual.filter(name => !shown.has(name)),
    [],
  )
  const ids = dashboard.panels.map(({ id }) => id)
  t.deepEqual(ids, [...new Set(ids)])
})
