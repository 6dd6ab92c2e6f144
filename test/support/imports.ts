// Which modules a file imports, read from its text. In: paths from the root of the checkout. Out:
// the same, or names of packages. Refuses nothing: a file that is not there, or is not TypeScript,
// imports nothing.
import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'
import { read, root } from './repository.ts'

const importing =
  /^(?:(?:import|export|\})[^'"`\n]*\bfrom|import)\s*['"]([^'"\n]+)['"]|\b(?:import|require)\(\s*['"`]([^'"`\n]+)['"`]/gm
const typeImport = /^(?:import|export) type\b[^'"`]*\bfrom\s*['"][^'"\n]+['"]/gm

/** Every form of import, those of types too. */
export function importsOf(file: string, text: string): string[] {
  const names = Array.from(text.matchAll(importing), ([, named, called]) => named ?? called ?? '')
  return names.map(name => (name.startsWith('.') ? posix.join(posix.dirname(file), name) : name))
}

/**
 * What a file imports, and what those imports import that `isFollowed`; each with the file that
 * imports it. Types are left out.
 */
export function loadedWith(
  file: string,
  isFollowed: (path: string) => boolean,
): ReadonlyMap<string, string> {
  const loaded = new Map<string, string>()
  const waiting = [file]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (!next.endsWith('.ts') || !existsSync(join(root, next))) continue
    for (const target of importsOf(next, read(next).replaceAll(typeImport, ''))) {
      if (loaded.has(target)) continue
      loaded.set(target, next)
      if (isFollowed(target)) waiting.push(target)
    }
  }
  return loaded
}
