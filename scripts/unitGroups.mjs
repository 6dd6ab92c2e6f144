// Groups the unit tests, for test/support/group/runFiles.ts to run each group in one worker. In: the
// test files of the checkout. Out: the entry file of each group, in .cache. That of test/repo has
// `test/repo` in its path: its tests may run git (test/support/unitGuard.ts).
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { root } from './bundled.mjs'

export const groupFiles = '.cache/test/*/*.ts'

export function makeUnitGroups() {
  const count = Math.min(4, availableParallelism())
  const shares = shareOut([...testsIn('test/unit'), ...testsIn('test/worlds')], count)
  return [
    ...shares.map((share, at) => writeEntry(`.cache/test/unit/${at + 1}.ts`, share)),
    writeEntry('.cache/test/repo/1.ts', testsIn('test/repo')),
  ]
}

export function shareOut(files, count) {
  return Array.from({ length: count }, (_, share) => files.filter((_, at) => at % count === share))
}

function testsIn(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => `${folder}/${name}`)
    .toSorted()
}

/** Two runs at once write the same, and each renames a whole file. */
function writeEntry(path, files) {
  const whole = join(root, path)
  const temporary = `${whole}.${process.pid}`
  mkdirSync(dirname(whole), { recursive: true })
  writeFileSync(
    temporary,
    `import { runFiles } from '../../../test/support/group/runFiles.ts'

await runFiles(${JSON.stringify(files, null, 2)})
`,
  )
  renameSync(temporary, whole)
  return path
}
