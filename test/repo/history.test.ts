// Commit subjects read `folder: imperative`.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { root } from '../support/repository.ts'

const hasGit = existsSync(join(root, '.git'))
const subjectMax = 120

/** What is wrong with a subject; undefined: nothing. */
function faultOf(subject: string): string | undefined {
  if (/^(Merge|Revert) |^merge: /.test(subject)) return undefined
  if (subject.length > subjectMax) return `longer than ${subjectMax} characters`
  if (!/^[a-z0-9.][\w./, -]*: (?:[a-z]|[A-Z]{2,}\b)/.test(subject))
    return 'expected "folder: imperative"'
  if (
    /: (added|adds|adding|fixed|fixes|fixing|changed|changes|changing|updated|updates|updating)\b/.test(
      subject,
    )
  )
    return 'expected an imperative after the colon'
  return subject.endsWith('.') ? 'ends with a period' : undefined
}

test('faultOf() accepts a folder and an imperative, and refuses the rest', t => {
  t.is(faultOf('taps: follow a re-created interface'), undefined)
  t.is(faultOf('publish: write the status directory; world: give captures identities'), undefined)
  for (const bad of [
    'Fix things',
    'taps: Fixed it',
    'taps: added it',
    'taps: fix it.',
    'wip',
    `taps: ${'x'.repeat(120)}`,
  ])
    t.truthy(faultOf(bad), bad)
})

const subjectsTest = hasGit ? test : test.skip
subjectsTest(
  `the last commits of this branch have subjects of that form${hasGit ? '' : ' (no .git here)'}`,
  t => {
    const subjects = execFileSync(
      'git',
      ['-c', 'safe.directory=*', 'log', '--first-parent', '-30', '--format=%s'],
      {
        cwd: root,
        encoding: 'utf8',
      },
    )
      .trim()
      .split('\n')
    t.deepEqual(
      subjects.flatMap(subject => (faultOf(subject) ? [`${subject}: ${faultOf(subject)}`] : [])),
      [],
    )
  },
)
