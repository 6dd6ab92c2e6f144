// The manual and the code hold the same lists, both ways: error codes, metrics, settings, examples,
// decisions.
import test from 'ava'
import { tapErrorMeanings } from '../../src/model/codes.ts'
import { defaultSettings } from '../../src/model/settings.ts'
import { read } from '../support/repository.ts'
import { files, under } from './tree.ts'

const manual = read('docs/operations.md')

function difference(
  inCode: readonly string[],
  inManual: readonly string[],
): { readonly missing: string[]; readonly stale: string[] } {
  return {
    missing: inCode.filter(name => !inManual.includes(name)),
    stale: inManual.filter(name => !inCode.includes(name)),
  }
}

function found(text: string, pattern: RegExp): string[] {
  return [...new Set(Array.from(text.matchAll(pattern), ([, name = '']) => name))]
}

const same = { missing: [], stale: [] }

test('difference() tells what is missing and what is stale', t => {
  t.deepEqual(difference(['A', 'B'], ['B', 'C']), { missing: ['A'], stale: ['C'] })
})

test('every error code has a heading in docs/operations.md, and the other way round', t => {
  t.deepEqual(difference(Object.keys(tapErrorMeanings), found(manual, /^### `([A-Z_]+)`$/gm)), same)
})

test('every metric has a row in docs/operations.md, and the other way round', t => {
  const inCode = under('src').flatMap(file => found(read(file), /['"`](selcap_[a-z0-9_]+)['"`]/g))
  t.deepEqual(difference(inCode, found(manual, /^\| `(selcap_[a-z0-9_]+)` \|/gm)), same)
})

test('every setting has a row in docs/operations.md, and the other way round', t => {
  t.deepEqual(
    difference(Object.keys(defaultSettings), found(manual, /^\| `([a-z][A-Za-z]+)` \| `FELIX_/gm)),
    same,
  )
})

for (const [name, value] of Object.entries(defaultSettings)) {
  test(`docs/operations.md tells the default of ${name}`, t => {
    const row = manual.split('\n').find(line => line.startsWith(`| \`${name}\` |`)) ?? ''
    t.true(row.includes(`\`${value}\``), `expected \`${value}\` in: ${row}`)
  })
}

const readmes = files.filter(file => file === 'README.md' || file === 'examples/README.md')
for (const file of under('examples').filter(name => name.endsWith('.yaml'))) {
  test(`${file} is named in a README`, t =>
    t.true(readmes.some(readme => read(readme).includes(file.slice('examples/'.length)))))
}

for (const file of under('docs/decisions').filter(name => !name.endsWith('/README.md'))) {
  test(`${file} is a decision: number, title, status`, t => {
    t.regex(file, /\/\d{4}-[a-z0-9-]+\.md$/)
    t.regex(
      read(file),
      /^# \d+\. .+\n\nDate: \d{4}-\d\d-\d\d\. Status: (accepted|superseded by \d{4})\n/,
    )
  })
}

const links = files
  .filter(file => file.endsWith('.md'))
  .flatMap(file =>
    found(read(file), /\]\((?!https?:|#|mailto:)([^)#\s]+)/g).map(target => ({ file, target })),
  )
for (const { file, target } of links) {
  test(`${file} links to ${target}, which is there`, t => {
    const path = new URL(target, `file:///${file}`).pathname.slice(1).replace(/\/$/, '')
    t.true(files.some(name => name === path || name.startsWith(`${path}/`)))
  })
}
