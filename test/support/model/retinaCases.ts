// The cases derived from Retina's own tests (test/fixtures/retina-cases.json), by group. A test
// that decides otherwise than Retina lists the case by its name, with the reason.
import { read } from '../repository.ts'

type Groups = Readonly<Record<string, { readonly cases: readonly object[] }>>

const { groups } = JSON.parse(read('test/fixtures/retina-cases.json')) as {
  readonly groups: Groups
}

export function casesOf<T>(group: string): readonly T[] {
  const found = groups[group]
  if (!found || found.cases.length === 0)
    throw new Error(`Cannot test: there are no cases "${group}"`)
  return found.cases as readonly T[]
}
