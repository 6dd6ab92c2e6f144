// Which sets of built programs the chosen tests need, so that no other is built. In: globs of test
// files. Out: names of sets.
import { globSync } from 'node:fs'
import { loadedWith } from '../imports.ts'
import { root } from '../repository.ts'
import type { ToolSet } from './tools.ts'

// What a test imports that has to have a set.
const needs: readonly (readonly [module: RegExp, set: ToolSet])[] = [
  [/^test\/support\/kube\/(?:apiServer|useServer|kubectl)\.ts$/, 'api'],
  [/^test\/support\/kube\/(?:node\/node|packetCaptureConfigs)\.ts$/, 'node'],
  [/^test\/support\/stores\/s3Server\.ts$/, 'stores'],
  [/^test\/support\/kube\/health\.ts$/, 'health'],
  [/^test\/support\/kube\/helm\.ts$/, 'helm'],
  [/^test\/support\/kube\/prometheus\.ts$/, 'prometheus'],
]
// They run a controller manager of their own.
const ownManagers = ['aggregation', 'daemonSet'].map(
  name => `test/integration/deploy/${name}.test.ts`,
)

export function toolSetsFor(patterns: readonly string[]): ToolSet[] {
  const sets = globSync([...patterns], { cwd: root })
    .filter(file => file.endsWith('.test.ts'))
    .flatMap(file => setsOf(file))
  return [...new Set(sets)]
}

function setsOf(file: string): ToolSet[] {
  const loaded = [...loadedWith(file, target => target.startsWith('test/')).keys()]
  const found = needs
    .filter(([module]) => loaded.some(target => module.test(target)))
    .map(([, set]) => set)
  return ownManagers.includes(file) ? [...found, 'node'] : found
}
