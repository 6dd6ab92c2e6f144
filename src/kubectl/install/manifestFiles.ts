// The manifests that `install` applies, as they lie in daemonset and crds. In: nothing. Out: their
// texts by path. In the bundle of the plugin scripts/bundle.mjs puts the texts in place of this
// file. Refuses where neither is there, as in the image.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ExpectedError } from '../../model/errors.ts'

const folders = ['crds', 'daemonset/base', 'daemonset/apis', 'daemonset/components']

export function manifestFiles(): Readonly<Record<string, string>> {
  const root = join(import.meta.dirname, '..', '..', '..')
  try {
    const names = folders.flatMap(folder =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter(name => name.endsWith('.yaml'))
        .map(name => `${folder}/${name}`),
    )
    return Object.fromEntries(names.map(name => [name, readFileSync(join(root, name), 'utf8')]))
  } catch (error) {
    throw new ExpectedError(
      `Cannot install: the manifests are not here, expected a checkout or the plugin's one file: ${(error as Error).message}`,
    )
  }
}
