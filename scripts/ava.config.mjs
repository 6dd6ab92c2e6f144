// How scripts/test.mjs runs AVA: as package.json has it, and each test's duration and result go to
// the TAP stream as a comment that tap.mjs reads. Every worker refuses what a unit test may not do.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { groupFiles } from './unitGroups.mjs'

const { ava } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

// AVA's TAP reporter ends the run at an error whose stack has no frame: the package that prints it
// then has a field without a value, which its YAML refuses. Without that field the test is named.
const load = createRequire(import.meta.resolve('supertap'))
const yaml = load('js-yaml')
const { safeDump } = yaml
yaml.safeDump = value => safeDump(value, { skipInvalid: true })

const results = new Set(['test-passed', 'test-failed', 'hook-failed'])

export default {
  ...ava,
  files: [...ava.files, groupFiles],
  require: ['./test/support/unitGuard.ts'],
  nonSemVerExperiments: { observeRunsFromConfig: true },
  async observeRun({ events }) {
    for await (const { type, duration, testFile, title } of events)
      if (results.has(type))
        process.stdout.write(
          `# took ${JSON.stringify({ ms: duration, ...namesOf(testFile, title), isPassed: type === 'test-passed' })}\n`,
        )
  },
}

/** A test of a group has its file in its title (test/support/group/fileTest.ts). */
function namesOf(testFile, title) {
  const [, file = testFile, own = title] = /^(test\/\S+) › (.*)$/s.exec(title) ?? []
  return { testFile: resolve(file), title: own }
}
