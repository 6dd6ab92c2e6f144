// Each filter is compiled once, and the number of filters remembered is bounded.
import test from 'ava'
import { CompiledFilters } from '../../../src/driver/compileCheck.ts'
import { TapError } from '../../../src/model/errors.ts'
import { filterKey } from '../../../src/model/tap.ts'

function counting(charactersMax?: number): {
  readonly compiled: string[]
  readonly filters: CompiledFilters
} {
  const compiled: string[] = []
  const compile = async (filter: string): Promise<number> => {
    compiled.push(filter)
    if (filter === 'and and') throw new TapError('BAD_FILTER', 'syntax error')
    if (filter === 'bug') throw new Error('a bug')
    if (filter === 'icmp6' && compiled.length < 2) throw new TapError('NO_MEMORY', 'out of memory')
    return 1
  }
  return { compiled, filters: new CompiledFilters(compile, charactersMax) }
}

test("errorOf() returns the compiler's message, and compiles each filter once", async t => {
  const { compiled, filters } = counting()
  t.false(filters.has({ filter: 'tcp' }))
  for (let turn = 0; turn < 3; turn++) {
    t.is(await filters.errorOf({ filter: 'tcp' }), undefined)
    t.regex((await filters.errorOf({ filter: 'and and' })) ?? '', /syntax error/)
    filters.trim()
  }
  t.deepEqual(compiled, ['tcp', 'and and'])
  t.true(filters.has({ filter: 'tcp' }))
  t.deepEqual([...filters.errors], [[filterKey({ filter: 'and and' }), 'syntax error']])
})

test('trim() forgets the filters when their text is longer than the limit', async t => {
  const { compiled, filters } = counting(6)
  for (const filter of ['tcp', 'udp']) await filters.errorOf({ filter })
  filters.trim()
  await filters.errorOf({ filter: 'icmp' })
  filters.trim()
  await filters.errorOf({ filter: 'tcp' })
  t.deepEqual(compiled, ['tcp', 'udp', 'icmp', 'tcp'])
})

test('errorOf() refuses a filter that is too long without compiling it, and says how long it is', async t => {
  const { compiled, filters } = counting()
  const filter = Array.from({ length: 200 }, (_, index) => `port ${index}`).join(' or ')
  t.regex(
    (await filters.errorOf({ filter })) ?? '',
    /^Cannot compile filter "port 0 or .{100,}…": it takes at least 10400 instructions, expected at most 1500; fewer hosts/,
  )
  t.is(await filters.errorOf({ filter, filterInstructionsMax: 16_384 }), undefined)
  t.deepEqual(compiled, [filter])
})

test('errorOf() compiles a filter once although it is asked twice meanwhile', async t => {
  const { compiled, filters } = counting()
  const both = [filters.errorOf({ filter: 'tcp' }), filters.errorOf({ filter: 'tcp' })]
  t.deepEqual(await Promise.all(both), [undefined, undefined])
  t.deepEqual(compiled, ['tcp'])
})

test("errorOf() throws on an error that is not the filter's", async t => {
  await t.throwsAsync(counting().filters.errorOf({ filter: 'bug' }), { message: 'a bug' })
})

test('errorOf() does not take a lack of memory for an error of the filter, and compiles it again', async t => {
  const { compiled, filters } = counting()
  t.is(await filters.errorOf({ filter: 'icmp6' }), undefined)
  t.false(filters.has({ filter: 'icmp6' }))
  t.deepEqual([...filters.errors], [])
  t.is(await filters.errorOf({ filter: 'icmp6' }), undefined)
  t.true(filters.has({ filter: 'icmp6' }))
  t.deepEqual(compiled, ['icmp6', 'icmp6'])
})
