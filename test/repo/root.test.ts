// The root of the repository holds what is listed here, and nothing else: a folder that a test or a
// tool leaves there is found.
import test from 'ava'
import { files } from './tree.ts'

const wanted: Readonly<Record<string, string>> = {
  '.ci': 'what continuous integration runs',
  '.devcontainer': 'a container to develop in',
  '.git-blame-ignore-revs': 'commits that only format',
  '.github': 'templates and workflows',
  '.gitignore': 'what tools make',
  'CHANGELOG.md': 'what users notice',
  'CONTRIBUTING.md': 'how to work on selcap',
  LICENSE: 'Apache-2.0',
  Makefile: 'the commands of contributors and administrators',
  'README.md': 'where to begin',
  'SECURITY.md': 'how to report a vulnerability',
  bench: 'benchmarks',
  bin: 'the programs',
  charts: 'the Helm chart',
  'biome.json': 'format and lint',
  crds: 'custom resource definitions',
  daemonset: 'manifests of an installation, and the image',
  docs: 'documentation',
  examples: 'manifests to copy',
  grammar: 'the selector language',
  krew: 'the manifest of the kubectl plugin',
  native: 'the addon in C',
  'package-lock.json': 'versions of packages',
  'package.json': 'packages and scripts',
  scripts: 'what npm runs',
  src: 'the code',
  test: 'tests',
  'tsconfig.json': 'type check',
}

function unexpected(paths: readonly string[]): string[] {
  const names = new Set(paths.map(path => path.split('/')[0] ?? ''))
  return [...names].filter(name => !Object.hasOwn(wanted, name)).toSorted()
}

test('unexpected() names what the list does not have', t => {
  t.deepEqual(
    unexpected([
      'src/main.ts',
      '.web.parts/node-1/web.pcap',
      '.web.parts/node-2/web.pcap',
      'a.log',
    ]),
    ['.web.parts', 'a.log'],
  )
})

test('the root of the repository holds what is listed, and nothing else', t => {
  t.deepEqual(
    unexpected(files),
    [],
    'a test or a tool left it, or test/repo/root.test.ts has to list it',
  )
})
