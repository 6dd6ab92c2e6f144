// Each filter is compiled once while anybody has it.
import test from 'ava'
import { CompiledFilters } from '../../../src/controller/filterCache.ts'
import { TapError } from '../../../src/model/errors.ts'

function counting(): { readonly asked: string[]; readonly verdicts: CompiledFilters } {
  const asked: string[] = []
  const compile = async (filter: string): Promise<number> => {
    asked.push(filter)
    if (filter === 'and and') throw new TapError('BAD_FILTER', 'syntax error')
    if (filter === 'bug') throw new Error('a bug')
    return 1
  }
  return { asked, verdicts: new CompiledFilters(compile) }
}

test('refusalOf() says why a filter does not compile, and asks once', async t => {
  const { asked, verdicts } = counting()
  for (let turn = 0; turn < 3; turn++) {
    t.is(await verdicts.refusalOf({ filter: 'tcp' }), undefined)
    t.regex((await verdicts.refusalOf({ filter: 'and and' })) ?? '', /syntax error/)
    verdicts.forgetUnasked()
  }
  t.deepEqual(asked, ['tcp', 'and and'])
})

test('forgetUnasked() forgets a filter that nobody asked for since the last time', async t => {
  const { asked, verdicts } = counting()
  for (const filter of ['tcp', 'udp']) await verdicts.refusalOf({ filter })
  verdicts.forgetUnasked()
  await verdicts.refusalOf({ filter: 'udp' })
  verdicts.forgetUnasked()
  for (const filter of ['tcp', 'udp']) await verdicts.refusalOf({ filter })
  t.deepEqual(asked, ['tcp', 'udp', 'tcp'])
})

test('refusalOf() passes on what is no refusal', async t => {
  await t.throwsAsync(counting().verdicts.refusalOf({ filter: 'bug' }), { message: 'a bug' })
})
