// test/unit mirrors src and grammar: src/a/b.ts has test/unit/a/b.test.ts, and
// test/unit/a/b.properties.test.ts where properties are tried for long. Sources of types alone have
// nothing to test; the others without a test of their own are in unmirrored.txt, a list that may
// only shrink.
import test from 'ava'
import { read } from '../support/repository.ts'
import { files, under } from './tree.ts'

const sources = under('src', 'grammar').filter(file => file.endsWith('.ts'))
const mirrored = sources.filter(source => hasCode(read(source)))
const unmirrored = read('test/repo/unmirrored.txt').trim().split('\n')

function hasCode(text: string): boolean {
  return /^(?:export )?(?:async |abstract )?(?:function|class|const|let|for|if)\b|^(?:await )?\w+[.(?]/m.test(
    text,
  )
}

function testOf(source: string): string {
  return `test/unit/${source.replace(/^src\//, '').replace(/\.ts$/, '.test.ts')}`
}

function sourcesOf(unitTest: string): string[] {
  const path = unitTest.slice('test/unit/'.length).replace(/(?:\.properties)?\.test\.ts$/, '.ts')
  return [path, `src/${path}`]
}

test('testOf() and sourcesOf() lead from a source to its test and back', t => {
  t.is(testOf('src/core/plan/plan.ts'), 'test/unit/core/plan/plan.test.ts')
  t.is(testOf('grammar/tree.ts'), 'test/unit/grammar/tree.test.ts')
  t.deepEqual(sourcesOf('test/unit/grammar/tree.test.ts'), [
    'grammar/tree.ts',
    'src/grammar/tree.ts',
  ])
  t.true(sourcesOf('test/unit/stream/merge.properties.test.ts').includes('src/stream/merge.ts'))
})

test('hasCode() is false for types alone', t => {
  t.true(hasCode('export const a = 1'))
  t.true(hasCode('export async function a() {}'))
  t.true(hasCode("import './b.ts'\nrun()"))
  t.false(hasCode("// types\nimport type { B } from './b.ts'\nexport type A = { readonly b: B }\n"))
})

test('every file of test/unit mirrors a file of src or grammar', t => {
  const strays = under('test/unit').filter(
    file => !sourcesOf(file).some(source => sources.includes(source)),
  )
  t.deepEqual(strays, [], 'give it the path of what it tests')
})

test('every source has a test at its mirrored path, but for those of test/repo/unmirrored.txt', t => {
  const missing = mirrored.filter(
    source => !files.includes(testOf(source)) && !unmirrored.includes(source),
  )
  t.deepEqual(missing, [], 'write that test: test/repo/unmirrored.txt may only shrink')
})

test('test/repo/unmirrored.txt lists sources that are there, have code and have no test, in order', t => {
  const stale = unmirrored.filter(
    source => !mirrored.includes(source) || files.includes(testOf(source)),
  )
  t.deepEqual(stale, [], 'take it off the list')
  t.deepEqual(unmirrored, [...new Set(unmirrored)].toSorted())
})
