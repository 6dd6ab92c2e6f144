// The Makefile's targets for contributors are npm scripts, and stand above those for
// administrators.
import test from 'ava'
import { read } from '../support/repository.ts'

const makefile = read('Makefile')
const { scripts } = JSON.parse(read('package.json')) as {
  readonly scripts: Readonly<Record<string, string>>
}
const targets = Array.from(
  makefile.matchAll(/^([a-z-]+):.*##.*\n\t(.*)$/gm),
  ([, name = '', command = '']) => ({ name, command }),
)

test('every npm command of the Makefile is a script of package.json', t => {
  const named = targets.flatMap(({ command }) => /^npm (?:run )?(\S+)/.exec(command)?.[1] ?? [])
  t.true(named.length > 0)
  t.deepEqual(
    named.filter(name => scripts[name] === undefined),
    [],
  )
})

test("contributors' targets come before administrators'", t => {
  const kinds = targets
    .filter(({ name }) => name !== 'help')
    .map(({ command }) => command.startsWith('npm '))
  t.deepEqual(
    kinds,
    kinds.toSorted((a, b) => Number(b) - Number(a)),
  )
})

test('every target is phony: a folder of its name does not hide it', t => {
  const phony = /^\.PHONY: (.*)$/m.exec(makefile)?.[1]?.split(' ')
  t.deepEqual(
    phony,
    targets.map(({ name }) => name),
  )
})
