// docs/architecture.svg is what its source gives, and its source says of rights what the manifests
// say.
import test from 'ava'
import { parseAllDocuments } from 'yaml'
import { drawDiagram } from '../../scripts/diagram.ts'
import { blocksOf } from '../support/markdown.ts'
import { read } from '../support/repository.ts'
import { arrows } from './arrows.ts'

const source = read('docs/architecture.diagram')

type Container = {
  readonly securityContext?: { readonly capabilities?: { readonly add?: readonly string[] } }
}
type Workload = {
  readonly kind: string
  readonly spec: { readonly template: { readonly spec: { readonly containers: Container[] } } }
}

function capabilitiesOf(file: string): readonly string[] {
  const documents = parseAllDocuments(read(file)).map(each => each.toJS() as Workload)
  const workload = documents.find(({ kind }) => ['DaemonSet', 'Deployment'].includes(kind))
  return (
    workload?.spec.template.spec.containers.flatMap(
      ({ securityContext }) => securityContext?.capabilities?.add ?? [],
    ) ?? []
  )
}

test('docs/architecture.svg is drawn from docs/architecture.diagram', t =>
  t.is(drawDiagram(source), read('docs/architecture.svg')))

test('the drawing names the capabilities that the manifests give', t => {
  const agent = capabilitiesOf('daemonset/base/agent.yaml').join(', ')
  t.is(agent, 'NET_RAW, NET_ADMIN, SYS_ADMIN')
  t.true(source.includes(`! ${agent};`))
  t.true(read('docs/architecture.md').includes(`| ${agent}; reads captures`))
  for (const program of ['controller', 'gateway']) {
    t.deepEqual(capabilitiesOf(`daemonset/base/${program}.yaml`), [])
    t.regex(source, new RegExp(`"selcap ${program}"\\n.*\\n {2}! no capability, not root\\n`))
  }
})

/** src/a/b → a; src/main.ts → main. undefined: not of src. */
function layerOf(path: string): string | undefined {
  return /^src\/(\w+)/.exec(path)?.[1]
}

test('layerOf() names a folder of src', t => {
  t.deepEqual(['src/store/s3', 'src/main.ts', 'grammar'].map(layerOf), ['store', 'main', undefined])
})

test('every arrow between folders goes down in the rows of docs/architecture.md', t => {
  const [rows] = blocksOf(read('docs/architecture.md')).filter(
    ({ language }) => language === 'text',
  )
  const names =
    rows?.text
      .trim()
      .split('\n')
      .map(row => (row.split(/ {2,}/)[0] ?? '').split(' ')) ?? []
  const heights = new Map(
    names.flatMap((row, index) => row.map(name => [name, names.length - index] as const)),
  )
  const folders = new Set(Object.keys(arrows).flatMap(key => layerOf(key) ?? []))
  t.deepEqual([...heights.keys()].toSorted(), [...folders].toSorted())
  const upwards = Object.entries(arrows).flatMap(([key, targets]) =>
    targets
      .filter(target => {
        const [from, to] = [layerOf(key), layerOf(target)]
        return (
          from !== undefined &&
          to !== undefined &&
          from !== to &&
          (heights.get(to) ?? 0) >= (heights.get(from) ?? 0)
        )
      })
      .map(target => `${key} → ${target}`),
  )
  t.deepEqual(upwards, [])
})

test('the drawing has a light and a dark scheme, and loads nothing', t => {
  const svg = drawDiagram(source)
  t.regex(svg, /@media \(prefers-color-scheme: dark\)/)
  t.notRegex(svg, /href|@import|<script|url\((?!#)/)
})

test('drawDiagram() escapes what XML would read', t => {
  t.regex(drawDiagram('canvas 9 9\nnote 1 2 "a < b & c"\n'), />a &lt; b &amp; c<\/text>/)
})

const refusals: Readonly<Record<string, [string, RegExp]>> = {
  'no size': ['note 1 2 "a"', /expected a line "canvas WIDTH HEIGHT"/],
  'an unknown statement': ['canvas 9 9\ncircle 1 2', /line 2: unknown statement "circle"/],
  'an unknown kind': ['canvas 9 9\nbox cloud 1 2 3 4 "a"', /line 2: unknown kind "cloud"/],
  'a number that is none': ['canvas 9 9\nnote 1 b "a"', /line 2: "b" is no number/],
  'a text that is wider than its box': [
    'canvas 9 9\nbox part 0 0 40 40 "too long for this"',
    /line 2: "too long for this" is wider/,
  ],
  'more lines than a box holds': [
    'canvas 9 9\nbox part 0 0 90 30 "a"\n  b\n',
    /line 2: "a" has more lines/,
  ],
  'a line of one point': ['canvas 9 9\nline control 1,2', /line 2: a line needs two points/],
}

for (const [what, [text, message]] of Object.entries(refusals))
  test(`drawDiagram() refuses ${what}`, t =>
    void t.throws(() => drawDiagram(text), { instanceOf: SyntaxError, message }))
