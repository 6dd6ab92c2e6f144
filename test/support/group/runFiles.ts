// Runs many unit test files in one worker: a worker for each would spend its time on starting. In:
// the files. Out: their tests, file after file and one at a time, titled `FILE › title`. Refuses
// what fileTest.ts refuses. A file that is named runs in a worker of its own.
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ava from 'ava'
import { root } from '../repository.ts'
import { type Declaration, fileTest } from './fileTest.ts'

const scheme = 'test-of:'
const tests = new Map<string, object>()

/** What a test file imports as 'ava': the `test` of that file. */
export function testOf(file: string): object {
  const test = tests.get(file)
  if (test === undefined) throw new Error(`Cannot declare a test: ${file} is not in the group`)
  return test
}

export async function runFiles(files: readonly string[]): Promise<void> {
  const declarations: Declaration[] = []
  const fileOf = new Map(files.map(file => [pathToFileURL(join(root, file)).href, file]))
  for (const file of files) tests.set(file, fileTest(file, ava, declarations))
  const hooks = registerHooks({
    resolve(name, context, next) {
      const file = name === 'ava' ? fileOf.get(context.parentURL ?? '') : undefined
      return file === undefined
        ? next(name, context)
        : { url: `${scheme}${file}`, shortCircuit: true }
    },
    load(url, context, next) {
      if (!url.startsWith(scheme)) return next(url, context)
      const file = JSON.stringify(url.slice(scheme.length))
      const source = `import { testOf } from ${JSON.stringify(import.meta.url)}
export default testOf(${file})`
      return { format: 'module', source, shortCircuit: true }
    },
  })
  for (const url of fileOf.keys()) await import(url)
  hooks.deregister()
  // AVA takes declarations in one go: they waited until the last file was there.
  for (const declare of declarations) declare()
}
