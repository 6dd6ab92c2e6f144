// One version everywhere, and CHANGELOG.md has a section for it: what docs/release.md asks for.
import test from 'ava'
import { parse } from 'yaml'
import { read } from '../support/repository.ts'

const { version } = JSON.parse(read('package.json')) as { readonly version: string }
const sections = Array.from(read('CHANGELOG.md').matchAll(/^## (.+)$/gm), ([, title = '']) => title)

/** Negative: a is the older one. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map(each => each.split('.').map(Number)) as [number[], number[]]
  const index = left.findIndex((part, position) => part !== right[position])
  return index === -1 ? 0 : (left[index] ?? 0) - (right[index] ?? 0)
}

test('compareVersions() compares numbers, not letters', t => {
  t.true(compareVersions('0.9.0', '0.10.0') < 0)
  t.is(compareVersions('1.0.0', '1.0.0'), 0)
})

test('CHANGELOG.md begins with what is not released, then has each version with its day, the newest first', t => {
  const [first, ...released] = sections
  t.is(first, '[Unreleased]')
  for (const title of released) t.regex(title, /^\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d$/)
  const versions = released.map(title => /\[(.+)\]/.exec(title)?.[1] ?? '')
  t.deepEqual(
    versions,
    versions.toSorted((a, b) => compareVersions(b, a)),
  )
  t.is(versions[0], version)
})

const places: Readonly<Record<string, () => unknown>> = {
  'package-lock.json': () => JSON.parse(read('package-lock.json')).version,
  'native/package.json': () => JSON.parse(read('native/package.json')).version,
  'daemonset/base/kustomization.yaml': () =>
    parse(read('daemonset/base/kustomization.yaml')).images[0].newTag,
  'charts/selcap/Chart.yaml': () => parse(read('charts/selcap/Chart.yaml')).appVersion,
  'krew/pcap.yaml': () => parse(read('krew/pcap.yaml')).spec.version.slice(1),
  'docs/cluster.md': () => /-t selcap:(\S+) /.exec(read('docs/cluster.md'))?.[1],
}

for (const [file, found] of Object.entries(places)) {
  test(`${file} has the version of package.json`, t => t.is(found(), version))
  test(`docs/release.md says to set the version in ${file}`, t =>
    t.true(read('docs/release.md').includes(`\`${file}\``)))
}
