// The table of arrows holds: every import in src and grammar is one that arrows.ts allows.
import { posix } from 'node:path'
import test from 'ava'
import { ownerOf, strangers } from './arrows.ts'
import { read, under } from './tree.ts'

const sources = under('src', 'grammar').filter(file => file.endsWith('.ts'))
const importing = /^(?:(?:import|export|\})[^'"`\n]*\bfrom|import)\s*['"]([^'"\n]+)['"]|\b(?:import|require)\(\s*['"`]([^'"`\n]+)['"`]/gm

function importsOf(file: string, text: string): string[] {
  const names = Array.from(text.matchAll(importing), ([, named, called]) => named ?? called ?? '')
  return names.map(name => (name.startsWith('.') ? posix.join(posix.dirname(file), name) : name))
}

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
  t.deepEqual(strangers('src/core/plan/plan.ts', ['src/model/tap.ts', 'src/plan/order.ts', 'src/tap/tapManager.ts', 'node:fs', 'luxon']), [
    'src/tap/tapManager.ts',
    'node:fs',
    'luxon',
  ])
  t.deepEqual(strangers('src/nowhere/x.ts', ['src/model/tap.ts']), ['src/model/tap.ts'])
  t.deepEqual(strangers('src/modelling/x.ts', ['src/model/tap.ts']), ['src/model/tap.ts'])
})

for (const file of sources) {
  test(`${file} imports only what the table allows`, t => {
    t.not(ownerOf(file), undefined, `${file}: its folder is not in test/repo/arrows.ts`)
    t.deepEqual(strangers(file, importsOf(file, read(file))), [], `${file}: add the arrow to test/repo/arrows.ts, or turn it round`)
  })
}

const door = 'src/driver/ring/addon.ts'

test(`the addon is loaded in ${door} only`, t => {
  t.deepEqual(
    sources.filter(file => /\bnative\/build\b|\.node['"`]/.test(read(file)) && file !== door),
    [],
  )
})
