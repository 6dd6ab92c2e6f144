// Compiles a tree. In: a tree. Out: a function of a label look-up, which runs for every endpoint:
// it allocates nothing and looks a label up only when the result still depends on it. The tree
// becomes a list of tests, each with its next test if it holds and if it does not. One loop runs
// them all, and V8 optimises it once for all selectors: nested closures took three times as long
// (bench/selector.ts).
import type { Tree } from './tree.ts'

export type LabelLookup = (name: string) => string | undefined
export type Matcher = (label: LabelLookup) => boolean

const isTrue = -1
const isFalse = -2

const codes = {
  has: 0,
  eq: 1,
  ne: 2,
  contains: 3,
  startsWith: 4,
  endsWith: 5,
  in: 6,
  notIn: 7,
} as const

/**
 * Parallel arrays, one entry a test; `yes` and `no` are the next test's index, or isTrue, or
 * isFalse.
 */
type Program = {
  readonly codes: number[]
  readonly labels: string[]
  readonly values: string[]
  readonly sets: ReadonlySet<string>[]
  readonly yes: number[]
  readonly no: number[]
}

const nothing: ReadonlySet<string> = new Set()

export function compile(tree: Tree): Matcher {
  const program: Program = { codes: [], labels: [], values: [], sets: [], yes: [], no: [] }
  const start = emit(program, tree, isTrue, isFalse)
  return label => run(program, start, label)
}

/**
 * Adds the tests of a tree, the last one first, because each needs the index of its next test.
 * Returns the first test's index.
 */
function emit(program: Program, tree: Tree, yes: number, no: number): number {
  switch (tree.kind) {
    case 'all':
    case 'global':
      return yes
    case 'not':
      return emit(program, tree.operand, no, yes)
    case 'and':
      return tree.operands.reduceRight((next, operand) => emit(program, operand, next, no), yes)
    case 'or':
      return tree.operands.reduceRight((next, operand) => emit(program, operand, yes, next), no)
    default: {
      program.values.push(interned('value' in tree ? tree.value : ''))
      program.sets.push('values' in tree ? new Set(tree.values) : nothing)
      program.labels.push(interned(tree.label))
      program.yes.push(yes)
      program.no.push(no)
      return program.codes.push(codes[tree.kind]) - 1
    }
  }
}

function run(program: Program, start: number, label: LabelLookup): boolean {
  let at = start // index of the next test
  while (at >= 0)
    at = (
      holds(program, at, label(program.labels[at] as string)) ? program.yes[at] : program.no[at]
    ) as number
  return at === isTrue
}

function holds(program: Program, at: number, found: string | undefined): boolean {
  const value = program.values[at] as string
  switch (program.codes[at]) {
    case codes.eq:
      return found === value
    case codes.ne:
      return found !== value
    case codes.has:
      return found !== undefined
    case codes.contains:
      return found?.includes(value) === true
    case codes.startsWith:
      return found?.startsWith(value) === true
    case codes.endsWith:
      return found?.endsWith(value) === true
    case codes.in:
      return found !== undefined && (program.sets[at] as ReadonlySet<string>).has(found)
    default:
      return found === undefined || !(program.sets[at] as ReadonlySet<string>).has(found)
  }
}

// A property's name exists once in V8, with its hash: look-ups and comparisons of such strings
// compare pointers first.
function interned(text: string): string {
  return Object.keys({ [text]: true })[0] ?? text
}
