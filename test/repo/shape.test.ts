// What style alone cannot promise: words that are not used, names of hosts and machines that are
// nobody's business.
import test from 'ava'
import { read } from '../support/repository.ts'
import { code, files, under } from './tree.ts'

const refused: Readonly<Record<string, RegExp>> = {
  any: /(?::|<|\bas|\|)\s*any\b(?!\()/,
  enum: /^\s*(?:export\s+)?(?:const\s+)?enum\s/m,
  namespace: /^\s*(?:export\s+)?(?:declare\s+)?namespace\s+[\w.]+\s*\{/m,
  'export default': /^export default\b/m,
  '@ts-ignore': /@ts-(?:ignore|nocheck)/,
}

function refusedIn(text: string): string[] {
  const withoutStrings = text
    .replaceAll(/`[^`]*`|'[^'\n]*'/g, "''")
    .replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, found => (found.includes('@ts-') ? found : ''))
  return Object.keys(refused).filter(word => refused[word]?.test(withoutStrings))
}

test('refusedIn() finds each word that is not used', t => {
  t.deepEqual(refusedIn('let a: any\n'), ['any'])
  t.deepEqual(refusedIn('export enum A {}\n'), ['enum'])
  t.deepEqual(refusedIn('namespace A {}\n'), ['namespace'])
  t.deepEqual(refusedIn('export default 1\n'), ['export default'])
  t.deepEqual(refusedIn('// @ts-ignore\n'), ['@ts-ignore'])
  t.deepEqual(refusedIn("// if any: fine\nconst a = 'x: any'\n"), [])
})

for (const file of code.filter(name => name.endsWith('.ts'))) {
  test(`${file} has no any, enum, namespace or default export`, t =>
    t.deepEqual(refusedIn(read(file)), []))
}

test('no folder of src has a barrel or is called utils', t => {
  t.deepEqual(
    under('src', 'grammar').filter(file => /(^|\/)(index\.ts|utils?(\.ts|\/))/.test(file)),
    [],
  )
})

// Spelt apart, so that this file may be looked at too.
const hosts = [
  ['registry', 'npmjs', 'org'],
  ['proxy', 'golang', 'org'],
  ['sum', 'golang', 'org'],
  ['deb', 'debian', 'org'],
  ['archive', 'ubuntu', 'com'],
].map(parts => parts.join('.'))
const places = [
  ['', 'work', ''],
  ['', 'root', ''],
].map(parts => parts.join('/'))

for (const word of [...hosts, ...places]) {
  test(`no committed file names ${word.split('').join(' ')}`, t => {
    t.deepEqual(
      files.filter(file => read(file).includes(word)),
      [],
    )
  })
}

const secret =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----\n|\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.|\bnpm_[A-Za-z0-9]{36}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bAKIA[0-9A-Z]{16}\b/

test('no committed file holds a private key or a token', t => {
  t.deepEqual(
    files.filter(file => secret.test(read(file))),
    [],
  )
})
