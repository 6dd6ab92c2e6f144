// Unit tests need no process, port, thread, namespace or addon: neither they nor their helpers
// import what makes one. What the code under test does is refused at run time by
// test/support/unitGuard.ts.
import test from 'ava'
import { loadedWith } from '../support/imports.ts'
import { under } from './tree.ts'

const forbidden = [
  /^node:(child_process|cluster|dgram|http|http2|https|net|tls|worker_threads)$/,
  /^native\/build\//,
  /^test\/(?:repo|integration|support\/(?:kube|net|processes|stores))\//,
]

function forbiddenIn(loaded: ReadonlyMap<string, string>): string[] {
  return [...loaded]
    .filter(([target]) => forbidden.some(each => each.test(target)))
    .map(([target, by]) => `${target}, imported by ${by}`)
}

test('forbiddenIn() names a module that starts something, and who imports it', t => {
  const loaded = new Map([
    ['node:fs', 'test/unit/a.test.ts'],
    ['test/support/net/run.ts', 'test/unit/a.test.ts'],
    ['node:child_process', 'test/support/net/run.ts'],
  ])
  t.deepEqual(forbiddenIn(loaded), [
    'test/support/net/run.ts, imported by test/unit/a.test.ts',
    'node:child_process, imported by test/support/net/run.ts',
  ])
})

for (const file of under('test/unit', 'test/worlds').filter(name => name.endsWith('.test.ts')))
  test(`${file} and its helpers import nothing that starts something`, t =>
    t.deepEqual(forbiddenIn(loadedWith(file, target => target.startsWith('test/'))), []))
