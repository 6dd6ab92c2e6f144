// Counts the results in a TAP stream. In: its lines, one at a time. Out: what to print of them (failures in full, with
// what follows them; nothing of the rest), and at the end the counts and the names of what was skipped.
export class TapCount {
  passed = 0
  failed = 0
  skipped = []
  #isInFailure = false
  #hasPlan = false

  /** The part of this line worth a person's eye; undefined: nothing. */
  take(line) {
    if (/^1\.\.\d+$/.test(line)) this.#hasPlan = true
    const result = /^(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$/.exec(line)
    if (!result) return this.#isInFailure && line.startsWith('  ') ? line : undefined
    const [, not, title = '(no title)', directive] = result
    this.#isInFailure = Boolean(not) && directive === undefined
    if (directive) this.skipped.push(directive === 'TODO' ? `${title} (to do)` : title)
    else if (not) this.failed++
    else this.passed++
    return this.#isInFailure ? `✘ ${title}` : undefined
  }

  /** At the end of the stream: a runner that fell over, or failed without saying at what, is a failure too. */
  end(exitCode) {
    const hadPlan = this.#hasPlan
    this.#hasPlan = false // another run may follow
    if (exitCode === 0 || (hadPlan && this.failed > 0)) return undefined
    this.failed++
    return `✘ The test runner ended with ${exitCode}${hadPlan ? '' : ' before its last test'}`
  }
}
