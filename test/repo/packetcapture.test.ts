// docs/packetcapture.md explains every field of the schema, and no other.
import test from 'ava'
import { parse } from 'yaml'
import { sectionOf } from '../support/markdown.ts'
import { read } from '../support/repository.ts'

type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly items?: Schema }

const manual = read('docs/packetcapture.md')
const schema: Schema = parse(read('crds/packetcapture.yaml')).spec.versions[0].schema
  .openAPIV3Schema

/** What a table's first column names: `a.b`, `c`, `d: Value`, `e.{f,g}`; without [] and values. */
function namedIn(table: string): string[] {
  const cells = Array.from(table.matchAll(/^\| (`.+?) \| /gm), ([, cell = '']) => cell)
  const spans = cells.flatMap(cell =>
    Array.from(cell.matchAll(/`([^`]+)`/g), ([, span = '']) => span),
  )
  return spans.map(span => span.replaceAll('[]', '').replace(/: .*/, '')).flatMap(unfolded)
}

function unfolded(name: string): string[] {
  const [, before = '', names] = /^(.*)\{(.+)\}$/.exec(name) ?? []
  return names === undefined ? [name] : names.split(',').map(each => `${before}${each}`)
}

/** All paths of a schema down to a depth. */
function pathsOf(from: Schema | undefined, depth: number): string[] {
  return Object.entries(from?.properties ?? {}).flatMap(([name, inner]) => {
    const below = depth > 1 ? pathsOf(inner.items ?? inner, depth - 1) : []
    return [name, ...below.map(path => `${name}.${path}`)]
  })
}

test('namedIn() reads the first column', t => {
  t.deepEqual(namedIn('| field | x |\n|---|---|\n| `a[].b`, `c: D` | y |\n| `e.{f,g}` | `z` |\n'), [
    'a.b',
    'c',
    'e.f',
    'e.g',
  ])
})

test('every field of a spec is in the table, or all that is below it', t => {
  const named = namedIn(sectionOf(manual, 'Fields'))
  const spec = schema.properties?.spec
  t.deepEqual(
    pathsOf(spec, 1).filter(field => {
      const below = pathsOf(spec, 2).filter(path => path.startsWith(`${field}.`))
      return (
        !named.includes(field) && (below.length === 0 || below.some(path => !named.includes(path)))
      )
    }),
    [],
  )
})

test('every field in the tables is one of the schema', t => {
  for (const [section, part] of [
    ['Fields', 'spec'],
    ['Status', 'status'],
  ] as const) {
    const known = pathsOf(schema.properties?.[part], 3)
    t.deepEqual(
      namedIn(sectionOf(manual, section)).filter(name => !known.includes(name)),
      [],
    )
  }
})
