// A title of test/unit that begins with `symbol()` names a symbol of the source that it mirrors.
import test from 'ava'
import { read } from '../support/repository.ts'
import { files, under } from './tree.ts'

const titleOf = /\btest(?:\.\w+)?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/gs

/** What titles begin with and the source does not have. */
function strangersIn(text: string, source: string): string[] {
  const words = new Set(source.match(/\w+/g))
  const titles = Array.from(text.matchAll(titleOf), ([, , title = '']) => title)
  return titles.filter(title => {
    const symbol = /^(?:new )?(?:[A-Z]\w*\.)?(\w+)\(\)/.exec(title)?.[1]
    return symbol !== undefined && !words.has(symbol)
  })
}

function sourceOf(unitTest: string): string {
  const path = unitTest.slice('test/unit/'.length).replace(/(?:\.properties)?\.test\.ts$/, '.ts')
  return files.includes(`src/${path}`) ? `src/${path}` : path
}

test('strangersIn() finds titles of symbols that the source does not have', t => {
  const source = 'export function a() {}\nexport class B { c() {} }'
  const titles = ['a() does x', 'B.c() does x', 'new B() does x', 'it does a()', 'B does x']
  t.deepEqual(strangersIn(titles.map(title => `test('${title}', t => {})`).join('\n'), source), [])
  const strange = ['d() does x', 'B.d() does x']
  t.deepEqual(
    strangersIn(strange.map(title => `test(\`${title}\`, t => {})`).join('\n'), source),
    strange,
  )
})

test('titles of unit tests name symbols of the source that they mirror', t => {
  const strange = under('test/unit')
    .filter(file => file.endsWith('.test.ts'))
    .flatMap(file =>
      strangersIn(read(file), read(sourceOf(file))).map(title => `${file}: ${title}`),
    )
  t.deepEqual(strange, [], 'name what is tested, or move the test to what it tests')
})
