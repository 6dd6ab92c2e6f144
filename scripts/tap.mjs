// Counts the results in a TAP stream. In: its lines, one at a time. Out: what to print of them
// (failures in full, with what follows them; nothing of the rest), and at the end the counts, the
// names of what was skipped and the slowest tests.
const took = '# took ' // a comment of ava.config.mjs: how long one test took, and whether it passed

export class TapCount {
  passed = 0
  failed = 0
  skipped = []
  #results = []
  #isInFailure = false
  #failedBefore = 0 // when this run began
  #plan // how many tests the stream said there are

  /** The part of this line worth a person's eye; undefined: nothing. */
  take(line) {
    if (line.startsWith(took)) {
      this.#results.push(JSON.parse(line.slice(took.length)))
      return undefined
    }
    if (/^1\.\.\d+$/.test(line)) this.#plan = Number(line.slice(3))
    const result = /^(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$/.exec(line)
    if (!result) return this.#isInFailure && line.startsWith('  ') ? line : undefined
    const [, not, whole = '(no title)', directive] = result
    const title = whole.replace(/^.*? › (?=test\/\S+ › )/, '') // the name of a group of files
    this.#isInFailure = Boolean(not) && directive === undefined
    if (directive) this.skipped.push(directive === 'TODO' ? `${title} (to do)` : title)
    else if (not) this.failed++
    else this.passed++
    return this.#isInFailure ? `✘ ${title}` : undefined
  }

  /**
   * At the end of the stream: a runner that fell over, or failed without saying at what, is a
   * failure too. `mayBeEmpty`: a choice of titles may choose none of this run's files.
   */
  end(exitCode, mayBeEmpty = false) {
    const plan = this.#plan
    const hasFailed = this.failed > this.#failedBefore
    const isTold = (plan !== undefined && hasFailed) || (plan === 0 && mayBeEmpty)
    const isEnd = exitCode === 0 || (typeof exitCode === 'number' && isTold)
    if (!isEnd) this.failed++
    this.#plan = undefined // another run may follow
    this.#failedBefore = this.failed
    if (isEnd) return undefined
    return `✘ The test runner ended with ${exitCode}${plan === undefined ? ' before its last test' : ''}`
  }

  /** Adds what another run counted, except its durations. */
  add({ passed, failed, skipped }) {
    this.passed += passed
    this.failed += failed
    this.skipped.push(...skipped)
  }

  /** The tests and hooks that failed, each with its file. Not what failed without either. */
  get failures() {
    return this.#results.filter(({ isPassed }) => !isPassed)
  }

  /**
   * Takes the place of what was counted of these files: `again` ran them once more, alone.
   * Returns the failures that are gone.
   */
  replace(testFiles, again) {
    const isOf = ({ testFile }) => testFiles.includes(testFile)
    const before = this.#results.filter(isOf)
    const failed = before.filter(({ isPassed }) => !isPassed)
    this.passed += again.passed - (before.length - failed.length)
    this.failed += again.failed - failed.length
    this.#results = [...this.#results.filter(each => !isOf(each)), ...again.#results]
    const stays = new Set(again.failures.map(({ testFile, title }) => `${testFile}\n${title}`))
    return failed.filter(({ testFile, title }) => !stays.has(`${testFile}\n${title}`))
  }

  /**
   * The slowest tests, one a file: tests of one file run at once, so each of them takes as long as
   * all.
   */
  slowest(count) {
    const byFile = new Map()
    for (const each of this.#results.toSorted((a, b) => b.ms - a.ms))
      if (!byFile.has(each.testFile)) byFile.set(each.testFile, each)
    return [...byFile.values()].slice(0, count)
  }
}
