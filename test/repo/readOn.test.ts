// README.md leads to every page of docs, stays short, and shows a picture.
import test from 'ava'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

const readme = read('README.md')
const linesMax = 120 // what is longer belongs into a page of docs

for (const page of under('docs').filter(
  file => /^docs\/[^/]+\.md$/.test(file) && file !== 'docs/errors.md',
)) {
  test(`README.md leads to ${page}`, t => t.true(readme.includes(`](${page})`)))
}

test('docs/errors.md is reached from the page on operations', t =>
  t.regex(read('docs/operations.md'), /\]\(errors\.md/))

test(`README.md has a picture, and at most ${linesMax} lines`, t => {
  t.regex(readme, /!\[[^\]]+\]\(docs\/architecture\.svg\)/)
  t.true(readme.split('\n').length <= linesMax)
})
