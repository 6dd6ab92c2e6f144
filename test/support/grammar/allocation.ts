// Run by properties.test.ts: bytes allocated by two million matches, and by a matcher that does
// allocate.
import { parseSelector } from '../../../grammar/selector.ts'
import { interpret } from './interpret.ts'

declare const gc: () => void

const parsed = parseSelector(
  'has(a) && (b in {"x", "y", "z", "w", "v"} || c starts with "pre") && !(d == "e" || f contains "g") && h != "i" && j not in {"k"}',
)
if (!parsed.ok) throw parsed.error
const { matches, tree } = parsed.selector
const labels = new Map([
  ['a', ''],
  ['b', 'q'],
  ['c', 'prefix'],
  ['d', 'x'],
  ['f', 'y'],
])
const look = (name: string) => labels.get(name)

function allocated(run: () => boolean): number {
  for (let each = 0; each < 50_000; each++) run() // compiled by now
  gc()
  const before = process.memoryUsage().heapUsed
  let bytes = 0
  for (let round = 0; round < 20; round++) {
    const start = process.memoryUsage().heapUsed
    for (let each = 0; each < 100_000; each++) run()
    bytes += Math.max(0, process.memoryUsage().heapUsed - start)
  }
  return before > 0 ? bytes : 0
}

const control = allocated(() => [...'abcdefgh'].length > 0 && interpret(tree, look))
process.stdout.write(JSON.stringify({ matches: allocated(() => matches(look)), control }))
