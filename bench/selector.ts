// Speed of the selector language: parse, compile, match; and the pass that a turn of the engine
// makes: 250 endpoints against 1,000 selectors. The peer is the plain tree interpreter of the
// tests, in the same run, in turn.
//   node bench/selector.ts
import { compile } from '../grammar/compile.ts'
import { parseTokens } from '../grammar/parser.ts'
import { tokenize } from '../grammar/tokens.ts'
import { interpret } from '../test/support/grammar/interpret.ts'
import { median } from './median.ts'

const rounds = 15
const text = `! (a == "b"&&! c != "d") || !(a == "b" && !c != "d")`
const selectors = Array.from(
  { length: 1_000 },
  (_, index) =>
    `app == "app-${index}" && tier in {"web", "api", "db"} && !has(skip) || team starts with "t${index}"`,
)
const endpoints = Array.from(
  { length: 250 },
  (_, index) =>
    new Map([
      ['app', `app-${index}`],
      ['tier', 'web'],
      ['team', `x${index}`],
      ['zone', 'a'],
    ]),
)
const trees = selectors.map(each => parseTokens(tokenize(each), each))
const matchers = trees.map(compile)
const looks = endpoints.map(labels => (name: string) => labels.get(name))

const parse = median(
  Array.from({ length: rounds }, () =>
    timeMs(() => {
      for (let each = 0; each < 1_000; each++) parseTokens(tokenize(text), text)
    }),
  ),
)
const compiling = median(
  Array.from({ length: rounds }, () =>
    timeMs(() => {
      for (const tree of trees) compile(tree)
    }),
  ),
)
const pairs = Array.from({ length: rounds }, () => ({
  compiled: timeMs(() => {
    for (const look of looks) for (const matches of matchers) matches(look)
  }),
  interpreted: timeMs(() => {
    for (const look of looks) for (const tree of trees) interpret(tree, look)
  }),
}))
const pass = median(pairs.map(pair => pair.compiled))
const ratio = median(pairs.map(pair => pair.compiled / pair.interpreted))

process.stdout.write(`parse one selector:                 ${((parse * 1_000) / 1_000).toFixed(2)} µs
compile one tree:                   ${((compiling * 1_000) / 1_000).toFixed(2)} µs
match once:                         ${((pass * 1e6) / 250_000).toFixed(1)} ns
250 endpoints × 1,000 selectors:    ${pass.toFixed(2)} ms
compiled against interpreted:       ${ratio.toFixed(3)}
`)
process.stdout.write(
  `${JSON.stringify({ bench: 'selector', parseUs: parse, compileUs: compiling, passMs: pass, ratio })}\n`,
)

function timeMs(run: () => void): number {
  const start = performance.now()
  run()
  return performance.now() - start
}
