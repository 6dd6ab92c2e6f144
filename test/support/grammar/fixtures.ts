// The cases taken from upstream's test files, by kind (test/fixtures/README.md says where they come from).
import { readFileSync } from 'node:fs'

type Case = { readonly kind: string; readonly selector: string }

const files = ['selector-cases.json', 'selector-extra.json']
const cases = files.flatMap(
  file =>
    JSON.parse(readFileSync(new URL(`../../fixtures/${file}`, import.meta.url), 'utf8')) as Case[],
)

/** Each with its number, since titles must differ. */
export function casesOf<T extends object>(
  kind: string,
): (T & { selector: string; number: number })[] {
  return cases
    .filter(each => each.kind === kind)
    .map(
      (each, index) =>
        ({ ...each, number: index + 1 }) as unknown as T & { selector: string; number: number },
    )
}
