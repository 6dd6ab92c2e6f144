// Which nodes are let through, as a table; and that whatever happens in whatever order, there are
// never more than the limit.
import test from 'ava'
import { grantPass, isCounted, type PassInput } from '../../../../src/api/retina/grantPass.ts'
import { casesOf } from '../../../support/model/retinaCases.ts'

const nowMs = Date.parse('2026-01-02T03:04:05Z')
const metadata = { uid: 'u', generation: 2, creationTimestamp: '2026-01-02T03:04:00Z' }
const given = (generation: number, ...nodes: readonly string[]) => ({
  uid: 'u',
  generation,
  sinceMs: 1_000,
  nodes,
})

function asked(
  change: Partial<PassInput> & {
    readonly limit?: number
    readonly pass?: ReturnType<typeof given>
  },
): PassInput {
  const { limit = 2, pass, ...more } = change
  return {
    metadata,
    quota: { nodesMax: limit, ...(pass && { pass }) },
    needed: undefined,
    waiting: [],
    nowMs,
    ...more,
  }
}

for (const { nodes, limit, error } of casesOf<{ nodes: number; limit: number; error?: string }>(
  'jobNumLimit',
)) {
  test(`${nodes} nodes and a limit of ${limit}: ${error ?? 'all are let through'}`, t => {
    const needed = Array.from({ length: nodes }, (_, index) => `node-${index}`)
    const { pass, exceeded } = grantPass(asked({ limit, needed }))
    t.deepEqual(
      pass,
      error === undefined ? { uid: 'u', generation: 2, sinceMs: nowMs, nodes: needed } : undefined,
    )
    const found =
      exceeded && `the number of capture jobs ${exceeded.count} exceeds the limit ${exceeded.limit}`
    t.is(found, error)
  })
}

const rows: readonly (readonly [
  what: string,
  input: PassInput,
  nodes: readonly string[] | undefined,
  leftOut: readonly string[] | undefined,
])[] = [
  ['nobody was counted', asked({ waiting: ['a'] }), undefined, undefined],
  ['nobody is needed', asked({ needed: [] }), undefined, undefined],
  ['one is needed', asked({ needed: ['a'] }), ['a'], undefined],
  ['one comes later', asked({ pass: given(2, 'a'), waiting: ['b'] }), ['a', 'b'], undefined],
  [
    'more come later than there are places',
    asked({ pass: given(2, 'a'), waiting: ['d', 'b', 'c'] }),
    ['a', 'b'],
    ['c', 'd'],
  ],
  ['all places are taken', asked({ pass: given(2, 'a', 'b'), waiting: ['c'] }), ['a', 'b'], ['c']],
  [
    'it was edited and not counted again',
    asked({ pass: given(1, 'a'), waiting: ['b'] }),
    ['a'],
    undefined,
  ],
  [
    'it was edited and needs others',
    asked({ pass: given(1, 'a'), needed: ['b', 'c'] }),
    ['b', 'c'],
    undefined,
  ],
  [
    'it was edited and needs too many',
    asked({ pass: given(1, 'a'), needed: ['a', 'b', 'c'] }),
    [],
    [],
  ],
  ['it was edited and needs nobody', asked({ pass: given(1, 'a'), needed: [] }), [], undefined],
  [
    'it is being deleted',
    asked({
      metadata: { ...metadata, deletionTimestamp: '2026-01-02T03:05:00Z' },
      pass: given(1, 'a'),
      waiting: ['b'],
      needed: ['b'],
    }),
    ['a'],
    undefined,
  ],
]
for (const [what, input, nodes, leftOut] of rows) {
  test(`grantPass() lets ${nodes === undefined ? 'nobody yet' : `[${nodes}]`} through when ${what}`, t => {
    const { pass, exceeded } = grantPass(input)
    t.deepEqual([pass?.nodes, exceeded?.leftOut], [nodes, leftOut])
  })
}

test('time runs since the first was let through, whatever is edited; and not before the capture was there', t => {
  t.is(grantPass(asked({ pass: given(1, 'a'), needed: ['b'] })).pass?.sinceMs, 1_000)
  t.is(
    grantPass(asked({ needed: ['b'], nowMs: 5 })).pass?.sinceMs,
    Date.parse(metadata.creationTimestamp),
  )
})

test('grantPass() gives back the same pass when nothing changes: nothing is written', t => {
  const pass = given(2, 'a', 'b')
  t.is(grantPass(asked({ pass, waiting: ['c'] })).pass, pass)
  const empty = given(1)
  t.is(grantPass(asked({ pass: empty, needed: [] })).pass, empty)
})

test('isCounted() is so of a pass for this spec, and of what is being deleted', t => {
  t.false(isCounted(asked({})))
  t.false(isCounted(asked({ pass: given(1, 'a') })))
  t.false(isCounted(asked({ pass: given(2) })))
  t.true(isCounted(asked({ pass: given(2, 'a') })))
  t.true(isCounted(asked({ metadata: { ...metadata, deletionTimestamp: '2026-01-02T03:05:00Z' } })))
})

test('there are never more nodes than the limit, in any order of edits, counts and nodes that wait', t => {
  const nodes = ['a', 'b', 'c', 'd']
  const subsets = Array.from({ length: 16 }, (_, bits) =>
    nodes.filter((_node, index) => bits & (1 << index)),
  )
  const seen = new Set<string>()
  const open = [{ generation: 1, nodes: undefined as readonly string[] | undefined, of: 1 }]
  for (let next = open.pop(); next; next = open.pop()) {
    const key = JSON.stringify(next)
    if (seen.has(key)) continue
    seen.add(key)
    t.true((next.nodes ?? []).length <= 2)
    const pass = next.nodes && { pass: given(next.of, ...next.nodes) }
    const standing = { metadata: { ...metadata, generation: next.generation }, ...pass }
    const results = subsets.flatMap(some => [
      grantPass(asked({ ...standing, needed: some })),
      grantPass(asked({ ...standing, waiting: some })),
      grantPass(asked({ ...standing, needed: some, waiting: some })),
    ])
    for (const { pass: now } of results)
      open.push({ generation: next.generation, nodes: now?.nodes, of: now?.generation ?? 1 })
    if (next.generation < 3) open.push({ ...next, generation: next.generation + 1 })
  }
  t.true(seen.size > 50, `${seen.size} states`)
})
