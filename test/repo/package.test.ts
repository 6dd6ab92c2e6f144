// What `npm ci` on a clean clone relies on, and the licence.
import test from 'ava'
import { read } from '../support/repository.ts'
import { files } from './tree.ts'

type Manifest = Readonly<
  Record<
    'dependencies' | 'devDependencies' | 'optionalDependencies' | 'scripts',
    Readonly<Record<string, string>> | undefined
  >
> & { readonly license: string }

const manifest: Manifest = JSON.parse(read('package.json'))
const lock: {
  readonly packages: Readonly<
    Record<
      string,
      {
        readonly resolved?: string
        readonly integrity?: string
        readonly version?: string
        readonly link?: boolean
      }
    >
  >
} = JSON.parse(read('package-lock.json'))
const wanted = {
  ...manifest.dependencies,
  ...manifest.devDependencies,
  ...manifest.optionalDependencies,
}

test('package.json pins every dependency to one version', t => {
  t.deepEqual(
    Object.entries(wanted).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
    [],
  )
})

test('package-lock.json names no address', t => {
  t.deepEqual(
    Object.entries(lock.packages)
      .filter(([, { resolved }]) => resolved !== undefined)
      .map(([name]) => name),
    [],
  )
})

test('package-lock.json holds the versions of package.json', t => {
  t.deepEqual(
    Object.entries(wanted).filter(
      ([name, version]) => lock.packages[`node_modules/${name}`]?.version !== version,
    ),
    [],
  )
})

test('every package of the lock file carries its checksum', t => {
  t.deepEqual(
    Object.entries(lock.packages)
      .filter(([name, { integrity, link }]) => name !== '' && !link && !integrity)
      .map(([name]) => name),
    [],
  )
})

for (const script of ['demo', 'test', 'check', 'format']) {
  test(`package.json has the script ${script}`, t => t.truthy(manifest.scripts?.[script]))
}

test('the licence is Apache-2.0, in full', t => {
  t.is(manifest.license, 'Apache-2.0')
  t.regex(read('LICENSE'), /Apache License\s+Version 2\.0/)
  t.regex(read('LICENSE'), /END OF TERMS AND CONDITIONS/)
})

for (const file of [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'docs/design.md',
  'docs/operations.md',
  '.ci/run',
]) {
  test(`${file} is there`, t => t.true(files.includes(file)))
}
