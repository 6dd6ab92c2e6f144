// The files of a group run as they do alone, but for their titles.
import test, { type ExecutionContext, type TestFn } from 'ava'
import { shareOut } from '../../scripts/unitGroups.mjs'
import { type Declaration, fileTest } from '../support/group/fileTest.ts'

/** What is declared to AVA by a file `a.test.ts` that says this of its `test`. */
function declaredBy(say: (test: TestFn) => void): unknown[][] {
  const declared: unknown[][] = []
  const take =
    (kind: string) =>
    (...args: unknown[]) =>
      declared.push([kind, ...args])
  const serial = Object.assign(take('serial'), { skip: take('skip'), todo: take('todo') })
  const ava = { serial, macro: (macro: unknown) => macro } as unknown as TestFn
  const declarations: Declaration[] = []
  say(fileTest('a.test.ts', ava, declarations) as TestFn)
  if (declared.length > 0) throw new Error('AVA was told before the last file was there')
  for (const declare of declarations) declare()
  return declared
}

const body = () => {}
const ranked = (_t: ExecutionContext, _rank: number) => {}

test('fileTest() declares each test as a serial one with the file in its title', t => {
  const declared = declaredBy(test => {
    test('b() does c', body)
    test.serial('b() does d', body)
    test.skip('b() does e', body)
    test.todo('b() does f')
  })
  t.deepEqual(declared, [
    ['serial', 'a.test.ts › b() does c', body],
    ['serial', 'a.test.ts › b() does d', body],
    ['skip', 'a.test.ts › b() does e', body],
    ['todo', 'a.test.ts › b() does f'],
  ])
})

test('fileTest() titles a macro as it says, with its arguments', t => {
  const declared = declaredBy(test => {
    const macro = test.macro({
      exec: ranked,
      title: (title = 'rank', rank) => `${title} of ${rank}`,
    })
    test('size', macro, 1)
    test(macro, 2)
  })
  t.deepEqual(declared, [
    ['serial', 'a.test.ts › size of 1', ranked, 1],
    ['serial', 'a.test.ts › rank of 2', ranked, 2],
  ])
})

test('fileTest() refuses what would hold for other files too', t => {
  for (const name of ['before', 'after', 'beforeEach', 'afterEach', 'only'] as const)
    t.throws(() => declaredBy(test => test[name]), {
      message: `Cannot use test.${name} in a.test.ts: it would hold for other files of the unit tests too`,
    })
})

test('shareOut() gives each file to one group', t => {
  t.deepEqual(shareOut(['a', 'b', 'c', 'd', 'e'], 2), [
    ['a', 'c', 'e'],
    ['b', 'd'],
  ])
})
