// docs/decisions/README.md lists every decision with its title and status, and its template is one
// that the pages follow.
import test from 'ava'
import { blocksOf } from '../support/markdown.ts'
import { read } from '../support/repository.ts'
import { under } from './tree.ts'

const index = read('docs/decisions/README.md')
const pages = under('docs/decisions').filter(file => !file.endsWith('/README.md'))

function rowOf(page: string): string {
  const name = page.slice('docs/decisions/'.length)
  const [, title, status] = /^# \d+\. (.+)\n\nDate: \S+ Status: (.+)\n/.exec(read(page)) ?? []
  return `| [${name.slice(0, 4)}](${name}) | ${title} | ${status} |`
}

test('the index of decisions has a row for each page, in order', t => {
  t.deepEqual(
    index.split('\n').filter(line => line.startsWith('| [')),
    pages.toSorted().map(rowOf),
  )
})

test('numbers of decisions have no gap and no double', t => {
  t.deepEqual(
    pages.toSorted().map(page => Number(/(\d{4})-/.exec(page)?.[1])),
    pages.map((_, position) => position + 1),
  )
})

test('the template begins as every page does', t => {
  const [template] = blocksOf(index)
  t.is(template?.language, 'markdown')
  t.regex(
    template?.text ?? '',
    /^# N\. .+\n\nDate: YYYY-MM-DD\. Status: accepted\n\n## What was asked\n/,
  )
})
