// The table of arrows holds for every import in src and grammar, and no imports form a circle, of
// folders or of files. An import of types counts.
import test from 'ava'
import { importsOf } from '../support/imports.ts'
import { read } from '../support/repository.ts'
import { arrows, keysOf, reaches, strangers } from './arrows.ts'
import { under } from './tree.ts'

const sources = under('src', 'grammar').filter(file => file.endsWith('.ts'))
const imports: ReadonlyMap<string, readonly string[]> = new Map(
  sources.map(file => [file, importsOf(file, read(file))]),
)

test('importsOf() finds every form of import', t => {
  const text = `import a from 'a'\nimport type { B } from '../b/c.ts'\nimport {\n  d,\n} from './d.ts'\nexport { e } from './e.ts'\nimport './f.ts'\nawait import('./g.ts')\nrequire('../../native/build/x.node')\n// from 'nothing'\n`
  t.deepEqual(importsOf('src/x/y.ts', text), [
    'a',
    'src/b/c.ts',
    'src/x/d.ts',
    'src/x/e.ts',
    'src/x/f.ts',
    'src/x/g.ts',
    'native/build/x.node',
  ])
})

test('strangers() names an arrow that the table does not have', t => {
  t.deepEqual(
    strangers('src/core/plan/plan.ts', [
      'src/model/tap.ts',
      'src/core/match.ts',
      'src/tap/tapManager.ts',
      'node:fs',
      'luxon',
      'pino',
    ]),
    ['src/tap/tapManager.ts', 'node:fs', 'pino'],
  )
  t.deepEqual(
    strangers('src/store/s3/client.ts', ['src/store/store.ts', '@aws-sdk/client-s3', 'ssh2']),
    ['ssh2'],
  )
  t.deepEqual(strangers('src/nowhere/x.ts', ['src/model/tap.ts']), ['src/model/tap.ts'])
  t.deepEqual(strangers('src/modelling/x.ts', ['src/model/tap.ts']), ['src/model/tap.ts'])
})

test('cycleIn() finds a circle of three, and none where there is none', t => {
  const open = new Map([['a', ['b']], ['b', ['c']], ['c', []]]) // biome-ignore format: a line a graph
  t.is(cycleIn(open), undefined)
  t.deepEqual(cycleIn(new Map([...open, ['c', ['a']]])), ['a', 'b', 'c', 'a'])
  t.deepEqual(cycleIn(new Map([...open, ['c', ['c']]])), ['c', 'c'])
})

test('an arrow is a folder: no key and no arrow names a file, except src/main.ts', t => {
  const names = [...Object.keys(arrows), ...Object.values(arrows).flat()]
  t.deepEqual([...new Set(names.filter(name => name.endsWith('.ts')))], ['src/main.ts'])
})

test('each arrow of the table is used by an import', t => {
  const unused = Object.entries(arrows).flatMap(([key, targets]) => {
    const used = [...imports]
      .filter(([file]) => keysOf(file).includes(key))
      .flatMap(([, imported]) => imported)
    return targets
      .filter(target => !isPackage(target) && !used.some(each => reaches(target, each)))
      .map(target => `${key} → ${target}`)
  })
  t.deepEqual(unused, [], 'take them out of test/repo/arrows.ts')
})

for (const file of sources) {
  test(`${file} imports only what the table allows`, t => {
    t.not(keysOf(file).length, 0, `${file}: its folder is not in test/repo/arrows.ts`)
    t.deepEqual(
      strangers(file, imports.get(file) ?? []),
      [],
      `${file}: add the arrow to test/repo/arrows.ts, or turn it round`,
    )
  })
}

test('no imports of files form a circle', t => {
  const graph = new Map(
    Array.from(imports, ([file, imported]) => [
      file,
      imported.filter(target => imports.has(target)),
    ]),
  )
  t.is(cycleIn(graph)?.join(' → '), undefined)
})

test('no imports of folders form a circle', t => {
  const graph = new Map<string, string[]>()
  for (const [file, imported] of imports) {
    const left = imported.filter(target => imports.has(target)).map(folderOf)
    const from = folderOf(file)
    graph.set(from, [...(graph.get(from) ?? []), ...left.filter(folder => folder !== from)])
  }
  t.is(cycleIn(graph)?.join(' → '), undefined)
})

/** src/store for all below it; the file itself where it lies in src. */
function folderOf(file: string): string {
  return file.startsWith('src/') ? file.split('/').slice(0, 2).join('/') : 'grammar'
}

function isPackage(target: string): boolean {
  return !target.startsWith('src/') && target !== 'grammar'
}

/** The first circle found, from a node back to the same node. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>()

  function visit(node: string, path: readonly string[]): string[] | undefined {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node]
    if (done.has(node)) return undefined
    for (const next of graph.get(node) ?? []) {
      const found = visit(next, [...path, node])
      if (found) return found
    }
    done.add(node)
    return undefined
  }

  for (const node of graph.keys()) {
    const found = visit(node, [])
    if (found) return found
  }
  return undefined
}

const door = 'src/driver/ring/addon.ts'

test(`the addon is loaded in ${door} only`, t => {
  t.deepEqual(
    sources.filter(file => /\bnative\/build\b|\.node['"`]/.test(read(file)) && file !== door),
    [],
  )
})
