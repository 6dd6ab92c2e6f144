// docs/code-map.md has each folder exactly once, and names no folder that is not there.
import test from 'ava'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

const map = read('docs/code-map.md')
const mapped = [
  'src',
  'grammar',
  'native',
  'crds',
  'charts',
  'daemonset',
  'test',
  'bench',
  'scripts',
  'bin',
  'krew',
  'examples',
]

/** Every folder above a file, the file's own first. */
function foldersOf(file: string): string[] {
  const parts = file.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

function rowsOf(text: string): string[] {
  return Array.from(text.matchAll(/^\| `([^`]+)` \| /gm), ([, folder = '']) => folder)
}

test('foldersOf() gives every folder above a file', t =>
  t.deepEqual(foldersOf('a/b/c.ts'), ['a', 'a/b']))

test('docs/code-map.md has each folder once, and no other', t => {
  const folders = new Set(under(...mapped).flatMap(foldersOf))
  const wanted = [...folders].filter(folder => !folder.startsWith('test/unit/')) // a mirror of src and grammar
  t.deepEqual(rowsOf(map).toSorted(), wanted.toSorted())
})
