// How scripts/test.mjs runs AVA: as package.json has it, and each test's duration goes to the TAP
// stream as a comment that tap.mjs reads. With $SELCAP_UNIT every worker refuses what a unit test
// may not do.
import { readFileSync } from 'node:fs'

const { ava } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

export default {
  ...ava,
  ...(process.env.SELCAP_UNIT && { require: ['./test/support/unitGuard.ts'] }),
  nonSemVerExperiments: { observeRunsFromConfig: true },
  async observeRun({ events }) {
    for await (const { duration, testFile, title } of events)
      if (duration !== undefined)
        process.stdout.write(`# took ${JSON.stringify({ ms: duration, testFile, title })}\n`)
  },
}
