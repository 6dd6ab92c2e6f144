// Every file or folder that a document names in a code span is there. In: all Markdown of the
// repository but the changelog, which tells of what was. Names with a placeholder (`{name}`,
// `NAME`, `*`) are not looked at.
import test from 'ava'
import { read } from '../support/repository.ts'
import { files } from './tree.ts'

const tops = new Set(files.map(file => file.split('/')[0] ?? ''))
const documents = files.filter(file => file.endsWith('.md') && file !== 'CHANGELOG.md')

function pathsIn(text: string): string[] {
  const spans = Array.from(
    text.matchAll(/`([\w.@-]+(?:\/[\w.@-]+)+)\/?`/g),
    ([, span = '']) => span,
  )
  return [...new Set(spans)].filter(
    span => tops.has(span.split('/')[0] ?? '') && !/\b[A-Z]{2,}\b/.test(span.replace(/\.md$/, '')),
  )
}

test('pathsIn() finds names of files and folders, and no others', t => {
  t.deepEqual(
    pathsIn(
      '`src/main.ts`, `docs/`, `src/model/`, `shop/web`, `bin/selcap get`, `src/NAME.ts`, `src/main.ts`',
    ),
    ['src/main.ts', 'src/model'],
  )
})

for (const document of documents) {
  const missing = pathsIn(read(document)).filter(
    path => !files.some(file => file === path || file.startsWith(`${path}/`)),
  )
  test(`${document} names only files and folders that are there`, t => t.deepEqual(missing, []))
}
