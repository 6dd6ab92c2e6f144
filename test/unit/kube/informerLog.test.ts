// What is lost and found again is said once each time, with what it is and why.
import test from 'ava'
import type { InformerState } from '../../../src/kube/informer.ts'
import { informerLog } from '../../../src/kube/informerLog.ts'
import { Directory } from '../../support/directory.ts'

const lost = (detail: string) =>
  `warn: captures: cannot follow, tried again; the last state stays: ${detail}`
const found = (detail: string) => `info: captures: followed again: ${detail}`
const cases: readonly (readonly [
  what: string,
  states: readonly InformerState[],
  lines: readonly string[],
])[] = [
  ['nothing while all is well', ['listed', 'watching', 'listed', 'watching'], []],
  ['a failure once, however often it is tried', ['failed', 'failed', 'failed'], [lost('0')]],
  [
    'the first success after failures',
    ['listed', 'failed', 'failed', 'listed', 'watching'],
    [lost('1'), found('3')],
  ],
  [
    'each time anew',
    ['failed', 'watching', 'failed', 'watching'],
    [lost('0'), found('1'), lost('2'), found('3')],
  ],
]
for (const [what, states, expected] of cases) {
  test(`informerLog() tells ${what}`, t => {
    const { log, lines } = new Directory(t).logger()
    const onState = informerLog(log, 'captures')
    for (const [index, state] of states.entries()) onState(state, String(index))
    t.deepEqual(
      lines().map(({ level, what: it, msg, detail }) => `${level}: ${it}: ${msg}: ${detail}`),
      expected,
    )
  })
}
