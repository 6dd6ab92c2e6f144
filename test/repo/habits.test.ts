// What a forge and an editor read of this repository agrees with what it holds: packages, modules,
// images, the one check.
import test from 'ava'
import { parse } from 'yaml'
import { read } from '../support/repository.ts'
import { files } from './tree.ts'

/** Package names in the table of scripts/packages.mjs. */
function packagesOf(script: string): string[] {
  const [, table = ''] = /const sets = \{\n([\s\S]*?)\n\}\n/.exec(script) ?? []
  return [...new Set(Array.from(table.matchAll(/: '([\w+.-]+)'/g), ([, name = '']) => name))]
}

/** Package names of `apt-get install` in a Dockerfile. */
function installedBy(dockerfile: string): string[] {
  const [, words = ''] = /apt-get install ([\s\S]*?) && rm /.exec(dockerfile) ?? []
  return words.split(/[\s\\]+/).filter(word => word !== '' && !word.startsWith('-'))
}

const baseOf = (dockerfile: string): string | undefined => /^FROM (node:\S+)/m.exec(dockerfile)?.[1]
const devcontainer = read('.devcontainer/Dockerfile')

test('packagesOf() and installedBy() read names', t => {
  t.deepEqual(packagesOf("const sets = {\n  a: { 'g++': 'g++', '/x': 'libx-dev' },\n}\n"), [
    'g++',
    'libx-dev',
  ])
  t.deepEqual(installedBy('RUN apt-get install --yes \\\n  a b \\\n  c \\\n && rm -rf x'), [
    'a',
    'b',
    'c',
  ])
})

test('the dev container has every package that set-up asks for, and what fetches the repository', t => {
  const wanted = packagesOf(read('scripts/packages.mjs'))
  t.true(wanted.length > 10)
  t.deepEqual(
    installedBy(devcontainer).toSorted(),
    [...wanted, 'ca-certificates', 'git'].toSorted(),
  )
})

test('the dev container is built on the base of the image', t => {
  t.truthy(baseOf(devcontainer))
  t.is(baseOf(devcontainer), baseOf(read('daemonset/Dockerfile')))
})

test('the dev container is root with the capabilities of an agent', t => {
  const { remoteUser, capAdd, build } = JSON.parse(read('.devcontainer/devcontainer.json'))
  const [container] = parse(read('daemonset/base/agent.yaml')).spec.template.spec.containers
  t.is(remoteUser, 'root')
  t.deepEqual(capAdd.toSorted(), container.securityContext.capabilities.add.toSorted())
  t.true(files.includes(`.devcontainer/${build.dockerfile}`))
})

test('updates are proposed for every place that pins versions', t => {
  const { updates } = parse(read('.github/dependabot.yml')) as {
    updates: { 'package-ecosystem': string; directory: string }[]
  }
  const kinds = {
    npm: 'package-lock.json',
    gomod: 'go.mod',
    docker: 'Dockerfile',
    'github-actions': 'ci.yml',
  } as const
  const pinned = Object.entries(kinds).flatMap(([kind, name]) => {
    const found = files.filter(file => file === name || file.endsWith(`/${name}`))
    return found.map(
      file => `${kind} /${kind === 'github-actions' ? '' : file.slice(0, -name.length - 1)}`,
    )
  })
  t.deepEqual(
    updates.map(each => `${each['package-ecosystem']} ${each.directory}`).toSorted(),
    pinned.toSorted(),
  )
})

test('continuous integration runs .ci/run and the sanitizers, with no right to write', t => {
  const { jobs, permissions } = parse(read('.github/workflows/ci.yml'))
  const runs = jobs.check.steps.flatMap(({ run }: { run?: string }) => run ?? [])
  t.deepEqual(
    runs.map((run: string) => run.split(' ').at(-1)),
    ['.ci/run', 'test:sanitize'],
  )
  t.deepEqual(permissions, { contents: 'read' })
})

for (const form of files.filter(
  file => file.startsWith('.github/ISSUE_TEMPLATE/') && !file.endsWith('/config.yml'),
))
  test(`${form} is a form that a forge takes`, t => {
    const { name, description, body } = parse(read(form)) as {
      name: string
      description: string
      body: { type: string; id?: string }[]
    }
    t.true(name.length > 0 && description.length > 0)
    const fields = body.filter(({ type }) => type !== 'markdown')
    t.true(
      fields.length > 0 &&
        fields.every(({ type, id }) => ['textarea', 'input'].includes(type) && id !== undefined),
    )
    t.is(new Set(fields.map(({ id }) => id)).size, fields.length)
  })

test('SECURITY.md says where to report, and that it is not an issue', t => {
  t.regex(read('SECURITY.md'), /in private/)
  t.regex(read('SECURITY.md'), /\(docs\/security\.md\)/)
})
