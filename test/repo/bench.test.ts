// Every bench of bench/README.md is run by `npm run bench`, and prints its figures as JSON.
import test from 'ava'
import { read } from '../support/repository.ts'

const [, list = ''] = /const all = \[([^\]]*)\]/.exec(read('scripts/bench.ts')) ?? []
const known = Array.from(list.matchAll(/'(\w+)'/g), ([, name = '']) => name)

test('npm run bench runs every bench of bench/README.md', t => {
  const rows = read('bench/README.md').matchAll(/^\| \[(\w+)\.ts\]/gm)
  const told = Array.from(rows, ([, name]) => name)
  t.true(told.length > 0)
  t.deepEqual(known.toSorted(), told.toSorted())
})

for (const name of known)
  test(`bench/${name}.ts prints its figures as a line of JSON`, t =>
    t.true(read(`bench/${name}.ts`).includes(`JSON.stringify({ bench: '${name}', `)))
